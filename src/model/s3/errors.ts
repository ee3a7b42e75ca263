import { S3ServiceException } from '@aws-sdk/client-s3';
import { DeliveryError } from '../../errors.ts';
import { isTemporaryStatus, parseRetryAfter } from '../../http/retry.ts';
import { StoreBusyError } from '../store.ts';
import { isNetworkError, unreachable } from '../storeFailure.ts';
import { type S3Location, s3Url } from './location.ts';

/** The IAM actions that reading a model needs. */
export type S3Action = 's3:ListBucket' | 's3:ListBucketVersions' | 's3:GetBucketVersioning' | 's3:GetObject';

/** The service's own code, for example `NoSuchBucket`; HEAD-like answers have only a status. */
export function s3Code(error: unknown): string {
  return error instanceof S3ServiceException ? error.name : '';
}

interface Refusal {
  readonly code: string;
  readonly why: string;
  readonly remedy: string;
}

const newKeys = "Put the present keys into the service connection in 's3Connection'.";

const unknownKey: Refusal = {
  code: 'STORAGE_KEY_WRONG',
  why: 'the service does not know the access key ID',
  remedy: `${newKeys} Keys of another service or a deleted user are refused so.`,
};

const skewed: Refusal = {
  code: 'S3_CLOCK_SKEWED',
  why: "this agent's clock differs from the service's by more than 15 minutes",
  remedy: "Set the agent's clock (by NTP), then run again.",
};

/** Keys that a token service gave a moment ago are refused for other reasons than keys in a connection. */
const sessionRemedy =
  "Run again: each run begins a session of its own. If it repeats, the connection's token service is not that of this storage, or the role's sessions were revoked.";

/** https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html */
const byCode: Readonly<Record<string, Refusal>> = {
  InvalidAccessKeyId: unknownKey,
  /** The Versity Gateway's word for it. */
  XAdminUserNotFound: unknownKey,
  SignatureDoesNotMatch: {
    code: 'STORAGE_KEY_WRONG',
    why: 'the secret access key does not belong to the access key ID',
    remedy: `${newKeys} Blanks at its ends count; a proxy that changes requests breaks signatures, too.`,
  },
  ExpiredToken: {
    code: 'S3_TOKEN_EXPIRED',
    why: 'the session token has expired',
    remedy: 'Take a new session (keys and token together), or use the keys of an IAM user.',
  },
  InvalidToken: {
    code: 'S3_TOKEN_EXPIRED',
    why: 'the session token is malformed or no longer valid',
    remedy: 'Take a new session: keys and token belong together; without a session leave the token empty.',
  },
  RequestTimeTooSkewed: skewed,
};

function regionIn(error: S3ServiceException): string | undefined {
  const { Region } = error as { readonly Region?: unknown };
  const header = error.$response?.headers['x-amz-bucket-region'];
  return typeof Region === 'string' ? Region : header;
}

const wrongRegionCodes: ReadonlySet<string> = new Set([
  'PermanentRedirect',
  'AuthorizationHeaderMalformed',
  'IllegalLocationConstraintException',
  'TemporaryRedirect',
]);

function wrongRegion(error: S3ServiceException, location: S3Location, cause: Error): DeliveryError {
  const region = regionIn(error);
  return new DeliveryError({
    code: 'S3_REGION_WRONG',
    side: 'input',
    message: `Bucket '${location.bucket}' is not in region '${location.region}'${region === undefined ? '' : `, but in '${region}'`}.`,
    remedy:
      region === undefined ? "Write the bucket's region in 'region'." : `Write '${region}' in 'region'.`,
    cause,
  });
}

/** The action that AWS itself names, else the one that the request needed. */
function deniedAction(cause: Error, action: S3Action): string {
  return /not authorized to perform: ([\w:]+)/.exec(cause.message)?.[1] ?? action;
}

function denied(location: S3Location, action: S3Action, cause: Error): DeliveryError {
  const wanted = deniedAction(cause, action);
  const resource = wanted.includes('Object')
    ? `arn:aws:s3:::${location.bucket}/*`
    : `arn:aws:s3:::${location.bucket}`;
  return new DeliveryError({
    code: 'STORAGE_FORBIDDEN',
    side: 'identity',
    message: `The model storage refused access to bucket '${location.bucket}' at ${s3Url(location)}: ${wanted} is not allowed.`,
    remedy: `Allow ${wanted} on ${resource} in the user's or role's policy, and see that the bucket's policy does not deny it (and, for encrypted objects, kms:Decrypt on their key).`,
    cause,
  });
}

function refused(
  error: S3ServiceException,
  location: S3Location,
  action: S3Action,
  cause: Error,
): DeliveryError {
  const status = error.$metadata.httpStatusCode ?? 0;
  const known = byCode[error.name];
  if (known !== undefined) {
    return new DeliveryError({
      code: known.code,
      side: 'identity',
      message: `The model storage refused access to bucket '${location.bucket}' at ${s3Url(location)}: ${known.why}.`,
      remedy: location.session === undefined || known === skewed ? known.remedy : sessionRemedy,
      cause,
    });
  }
  if (wrongRegionCodes.has(error.name) || status === 301) return wrongRegion(error, location, cause);
  if (error.name === 'InvalidObjectState') {
    return new DeliveryError({
      code: 'MODEL_ARCHIVED',
      side: 'storage',
      message: 'A file of the model is in an archive storage class, which cannot be read.',
      remedy: 'Restore the object (it takes hours), then run again.',
      cause,
    });
  }
  if (status === 401 || status === 403) return denied(location, action, cause);
  return new DeliveryError({
    code: 'STORAGE_FAILED',
    side: 'storage',
    message: `The model storage ${s3Url(location)} refused the request.`,
    remedy: "Compare the service's answer above with the step's inputs.",
    cause,
  });
}

function credentialsMissing(error: Error): DeliveryError {
  return new DeliveryError({
    code: 'S3_CREDENTIALS_MISSING',
    side: 'identity',
    message: 'No S3 credentials were found.',
    remedy:
      "Choose a service connection in 's3Connection', or let the step's environment have AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY (or AWS_ROLE_ARN with AWS_WEB_IDENTITY_TOKEN_FILE).",
    cause: error,
  });
}

/** What the service's support finds the request by: `x-amz-request-id` and, of AWS, `x-amz-id-2`. */
function requestIds({ $metadata: { requestId, extendedRequestId } }: S3ServiceException): string {
  const request = requestId === undefined ? '' : `, request id ${requestId}`;
  return extendedRequestId === undefined ? request : `${request}, extended request id ${extendedRequestId}`;
}

/** The SDK's error in words for the log; what is not the storage's passes unchanged. */
export function explainedS3Error(error: unknown, location: S3Location, action: S3Action): unknown {
  if (error instanceof DeliveryError || !(error instanceof Error)) return error;
  if (error.name === 'CredentialsProviderError') return credentialsMissing(error);
  if (!(error instanceof S3ServiceException)) {
    const network = error.name === 'TimeoutError' || isNetworkError(error);
    return network ? unreachable(error, location.endpoint ?? s3Url(location), 's3Endpoint') : error;
  }
  const status = error.$metadata.httpStatusCode ?? 0;
  const cause = new Error(`${error.message} (HTTP ${status}, ${error.name}${requestIds(error)})`);
  if (isTemporaryStatus(status)) {
    return new StoreBusyError(
      {
        message: `The model storage ${s3Url(location)} is overloaded or failing.`,
        remedy: 'Run again later.',
        cause,
      },
      parseRetryAfter(error.$response?.headers['retry-after']),
    );
  }
  return refused(error, location, action, cause);
}
