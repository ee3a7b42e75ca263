import { DeliveryError } from '../../errors.ts';
import type { ServiceConnection } from '../../host/host.ts';
import { invalidInput } from '../../host/inputs.ts';

/** Keys of an IAM user, or of a session when there is a token. */
export interface S3Credentials {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken?: string;
}

/** How requests name the bucket: in the path, or as the first label of the host. */
export type S3Addressing = 'auto' | 'path' | 'host';

/** One bucket, and how to get in. */
export interface S3Location {
  readonly bucket: string;
  readonly region: string;
  /** Address of a service that is not AWS's own. */
  readonly endpoint?: string;
  readonly addressing: S3Addressing;
  /** Without them the environment's are used, as every AWS SDK finds them. */
  readonly credentials?: S3Credentials;
}

/** A bucket name by S3's rules. https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html */
export function checkedBucket(value: string): string {
  if (/^(?!.*\.\.)[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/.test(value)) return value;
  throw invalidInput(
    'bucket',
    `is '${value}'`,
    'Write the name alone, no URL: 3 to 63 lower-case letters, digits, periods and hyphens.',
  );
}

/** A region's name, for example `eu-central-1`. */
export function checkedRegion(value: string): string {
  if (/^[a-z0-9][a-z0-9-]{0,62}$/.test(value)) return value;
  throw invalidInput('region', `is '${value}'`, "Write a region's name, for example 'eu-central-1'.");
}

/** The address of an S3 service as the user wrote it, checked; never shown, since it may carry what it must not. */
export function checkedS3Endpoint(value: string, input: string): string {
  const url = URL.canParse(value) ? new URL(value) : undefined;
  if (url === undefined || !/^https?:$/.test(url.protocol)) {
    throw invalidInput(input, 'is not an http(s) URL', 'Write for example https://minio.example.com:9000.');
  }
  if (url.search !== '' || url.hash !== '' || url.username !== '' || url.password !== '') {
    throw invalidInput(
      input,
      'carries a query or a user name',
      'Write the URL alone; keys belong into the service connection.',
    );
  }
  return url.toString().replace(/\/+$/, '');
}

/** What a service connection for S3 (of this extension's own type) says. */
export interface S3Connection {
  readonly credentials: S3Credentials;
  readonly region?: string;
  readonly endpoint?: string;
}

/** AWS's own addresses need not be given: the SDK knows those of every region. */
function isAws(url: string): boolean {
  return /(^|\.)(amazonaws\.com(\.cn)?|aws\.amazon\.com)$/.test(new URL(url).hostname);
}

/** Reads a service connection. Throws S3_CONNECTION_INVALID. */
export function readS3Connection(connection: ServiceConnection): S3Connection {
  const { username, password, sessiontoken, region = connection.data['region'] } = connection.parameters;
  if (!username || !password) {
    throw new DeliveryError({
      code: 'S3_CONNECTION_INVALID',
      side: 'input',
      message: `Service connection '${connection.id}' has no access key ID or no secret access key.`,
      remedy: "Complete it in the project settings; its type is 'S3 storage (Model Delivery)'.",
    });
  }
  const url = connection.url === '' || isAws(connection.url) ? undefined : connection.url;
  return {
    credentials: {
      accessKeyId: username,
      secretAccessKey: password,
      ...(sessiontoken && { sessionToken: sessiontoken }),
    },
    ...(region && { region: checkedRegion(region) }),
    ...(url !== undefined && { endpoint: checkedS3Endpoint(url, 's3Connection') }),
  };
}

/** The bucket's address, for logs and locks. */
export function s3Url({ bucket, region, endpoint }: S3Location): string {
  return `${endpoint ?? `https://s3.${region}.amazonaws.com`}/${bucket}`;
}
