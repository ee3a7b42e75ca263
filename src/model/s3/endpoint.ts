import { DeliveryError } from '../../errors.ts';
import { isLoopback } from '../../http/loopback.ts';
import { checkedS3Endpoint } from './location.ts';

/** An address of Amazon's own S3. */
export interface AwsEndpoint {
  /** The region that it names. */
  readonly region?: string;
  /** The one that the SDK takes for its region by itself. */
  readonly usual: boolean;
}

const region = '[a-z]{2}(?:-[a-z]+)+-\\d+';
const domain = 'amazonaws\\.(?:com|com\\.cn|eu)';
/** Regional ones with FIPS and dual stack, the older spelling, acceleration, and those of a VPC's interface endpoint. */
const forms = [
  `s3(?<variant>-fips)?(?<stack>\\.dualstack)?\\.(?<region>${region})\\.${domain}`,
  `s3-(?<older>${region})\\.${domain}`,
  `(?<accelerated>s3-accelerate(?:\\.dualstack)?)\\.amazonaws\\.com`,
  `(?<private>bucket\\.vpce-[a-z0-9-]+)\\.s3\\.(?<vpcRegion>${region})\\.vpce\\.${domain}`,
].map((form) => new RegExp(`^${form}$`));

/**
 * What an address of Amazon's S3 says; undefined for any other, those of Amazon's customers (load balancers, virtual
 * machines, gateways) below the same domain included. https://docs.aws.amazon.com/general/latest/gr/s3.html
 */
export function awsEndpoint(url: string): AwsEndpoint | undefined {
  const { hostname } = new URL(url);
  // The console's and the documentation's addresses are what people paste who mean AWS.
  if (/^(s3(-external-1)?\.amazonaws\.com|(.+\.)?aws\.amazon\.com)$/.test(hostname)) return { usual: true };
  const found = forms.map((form) => form.exec(hostname)?.groups).find((groups) => groups !== undefined);
  if (found === undefined) return undefined;
  const { variant, stack, accelerated, private: ofVpc } = found;
  const named = found['region'] ?? found['older'] ?? found['vpcRegion'];
  const usual = [variant, stack, accelerated, ofVpc].every((part) => part === undefined);
  return { usual, ...(named !== undefined && { region: named }) };
}

/** The tokens of sessions travel in a header as they are: readable on the way, and good for every request. */
export function isUnsafeForTokens(endpoint: string | undefined): boolean {
  if (endpoint === undefined) return false;
  const { protocol, hostname } = new URL(endpoint);
  return protocol !== 'https:' && !isLoopback(hostname);
}

/** S3_ENDPOINT_INSECURE; `who` names what would be sent. */
export function insecureEndpoint(who: string, endpoint: string): DeliveryError {
  return new DeliveryError({
    code: 'S3_ENDPOINT_INSECURE',
    side: 'input',
    message: `${who} would travel to ${endpoint} unencrypted, so nothing was sent.`,
    remedy:
      'Give the service https and write that address; only keys without a session token, by a connection whose own URL is http, and addresses of this machine do without it.',
  });
}

function elsewhere(given: string, own: string | undefined): DeliveryError {
  return new DeliveryError({
    code: 'S3_ENDPOINT_ELSEWHERE',
    side: 'input',
    message: `Input 's3Endpoint' names ${given}, but the credentials of 's3Connection' are for ${own ?? "Amazon's own service"}; nothing was sent.`,
    remedy:
      "Write the address into the service connection's URL and leave 's3Endpoint' empty; beside a connection for AWS it may be another address of Amazon's S3 (FIPS, dual stack, a VPC endpoint), by https.",
  });
}

/** Whether credentials of the connection are for this address: its own, or another of Amazon's where it is for AWS. */
export function isFor(connection: { readonly endpoint?: string }, endpoint: string): boolean {
  const { endpoint: own } = connection;
  if (endpoint === own) return true;
  return (own === undefined || awsEndpoint(own) !== undefined) && awsEndpoint(endpoint) !== undefined;
}

/**
 * The endpoint of inputs. Whoever writes the YAML may not send a connection's credentials where its owner did not:
 * beside a connection, `given` must be its own address, or one of Amazon's S3 where the connection is for AWS.
 * Throws S3_ENDPOINT_ELSEWHERE, S3_ENDPOINT_INSECURE or INPUT_INVALID.
 */
export function chosenEndpoint(
  given: string | undefined,
  connection: { readonly endpoint?: string } | undefined,
): string | undefined {
  if (given === undefined) return connection?.endpoint;
  const endpoint = checkedS3Endpoint(given, 's3Endpoint');
  if (connection === undefined || endpoint === connection.endpoint) return endpoint;
  if (!isFor(connection, endpoint)) throw elsewhere(endpoint, connection.endpoint);
  if (isUnsafeForTokens(endpoint)) throw insecureEndpoint("The connection's credentials", endpoint);
  return endpoint;
}
