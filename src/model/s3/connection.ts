import { DeliveryError } from '../../errors.ts';
import type { ServiceConnection } from '../../host/host.ts';
import { awsEndpoint, insecureEndpoint, isUnsafeForTokens } from './endpoint.ts';
import { checkedRegion, checkedS3Endpoint, type S3Credentials } from './location.ts';

/** A role to assume, and how. https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html */
export interface S3Role {
  readonly arn: string;
  /** Life of a session in seconds; it is renewed before its end. */
  readonly durationSeconds: number;
  /** Shown in CloudTrail; the caller has one of its own where there is none. */
  readonly sessionName?: string;
  /** Region of the token service, where it is not the bucket's. */
  readonly region?: string;
  /** Address of a token service that is not AWS's own. */
  readonly endpoint?: string;
}

/** How a service connection signs in. */
export type S3SignIn =
  | { readonly kind: 'keys'; readonly credentials: S3Credentials }
  | {
      readonly kind: 'role';
      readonly credentials: S3Credentials;
      readonly role: S3Role;
      readonly externalId?: string;
    }
  /** By an OIDC token that Azure DevOps gives the running job for this connection. */
  | { readonly kind: 'oidc'; readonly connectionId: string; readonly role: S3Role };

/** What a service connection for S3 (of this extension's own type) says. */
export interface S3Connection {
  readonly signIn: S3SignIn;
  readonly region?: string;
  readonly endpoint?: string;
}

type Fields = (name: string) => string | undefined;

function invalid(id: string, problem: string, remedy: string): DeliveryError {
  return new DeliveryError({
    code: 'S3_CONNECTION_INVALID',
    side: 'input',
    message: `Service connection '${id}' ${problem}.`,
    remedy: `${remedy} Its type is 'S3 storage (Model Delivery)'.`,
  });
}

/** Seconds, as AWS admits them. */
function durationOf(id: string, value: string | undefined): number {
  if (value === undefined) return 3600;
  const seconds = Number(value);
  if (Number.isInteger(seconds) && seconds >= 900 && seconds <= 43_200) return seconds;
  throw invalid(id, `has the session length '${value}'`, 'Write seconds, from 900 to 43200.');
}

/** A service of one's own usually has its token service at the same address. */
function stsEndpointOf(id: string, given: string | undefined, storage: string | undefined) {
  const endpoint = given === undefined ? storage : checkedS3Endpoint(given, 'stsEndpoint');
  if (endpoint === undefined || endpoint.startsWith('https:')) return endpoint;
  throw invalid(
    id,
    'assumes a role at an address that is not https, and neither tokens nor session keys travel unencrypted',
    "Write the token service's https address in its field 'STS endpoint'.",
  );
}

function roleOf(id: string, field: Fields, storage: string | undefined): S3Role | undefined {
  const arn = field('rolearn');
  if (arn === undefined) return undefined;
  if (!/^arn:[\w-]+:iam:[^:\s]*:\d*:role\/\S+$/.test(arn)) {
    throw invalid(id, `has '${arn}' for its role`, 'Write its ARN, arn:aws:iam::<account>:role/<name>.');
  }
  const sessionName = field('rolesessionname');
  if (sessionName !== undefined && !/^[\w+=,.@-]{2,64}$/.test(sessionName)) {
    throw invalid(
      id,
      'has a session name that AWS does not take',
      'Write 2 to 64 letters, digits and +=,.@_-.',
    );
  }
  const region = field('stsregion');
  const endpoint = stsEndpointOf(id, field('stsendpoint'), storage);
  return {
    arn,
    durationSeconds: durationOf(id, field('roleduration')),
    ...(sessionName !== undefined && { sessionName }),
    ...(region !== undefined && { region: checkedRegion(region) }),
    ...(endpoint !== undefined && { endpoint }),
  };
}

function signInOf(id: string, field: Fields, storage: string | undefined): S3SignIn {
  const role = roleOf(id, field, storage);
  // Keys that were there before stay in a connection, since its page cannot empty a secret: they do not count then.
  if (field('useoidc')?.toLowerCase() === 'true') {
    if (role !== undefined) return { kind: 'oidc', connectionId: id, role };
    throw invalid(
      id,
      "signs in by the pipeline's OIDC token and names no role",
      'Write the ARN of the role.',
    );
  }
  const [accessKeyId, secretAccessKey] = [field('username'), field('password')];
  const [sessionToken, externalId] = [field('sessiontoken'), field('externalid')];
  if (accessKeyId === undefined || secretAccessKey === undefined) {
    throw invalid(
      id,
      'has no access key ID or no secret access key',
      "Complete it in the project settings, or let it use the pipeline's OIDC token.",
    );
  }
  const credentials = { accessKeyId, secretAccessKey, ...(sessionToken !== undefined && { sessionToken }) };
  if (role === undefined) return { kind: 'keys', credentials };
  return { kind: 'role', credentials, role, ...(externalId !== undefined && { externalId }) };
}

/** Whether requests carry a session's token. */
function hasToken(signIn: S3SignIn): boolean {
  return signIn.kind !== 'keys' || signIn.credentials.sessionToken !== undefined;
}

/**
 * Reads a service connection. Throws S3_CONNECTION_INVALID, S3_ENDPOINT_INSECURE, or INPUT_INVALID for an address or a
 * region.
 */
export function readS3Connection(connection: ServiceConnection): S3Connection {
  const { id, url, parameters, data } = connection;
  const field: Fields = (name) => (parameters[name] || data[name])?.trim() || undefined;
  const entered = url === '' ? undefined : checkedS3Endpoint(url, 's3Connection');
  const aws = entered === undefined ? undefined : awsEndpoint(entered);
  const endpoint = aws?.usual === true ? undefined : entered;
  // Amazon's token service is not where its storage is.
  const signIn = signInOf(id, field, aws === undefined ? endpoint : undefined);
  if (hasToken(signIn) && endpoint !== undefined && isUnsafeForTokens(endpoint)) {
    throw insecureEndpoint(`The session of service connection '${id}'`, endpoint);
  }
  const region = field('region') ?? aws?.region;
  return {
    signIn,
    ...(region !== undefined && { region: checkedRegion(region) }),
    ...(endpoint !== undefined && { endpoint }),
  };
}
