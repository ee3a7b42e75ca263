import { invalidInput } from '../../host/inputs.ts';

/** Keys of an IAM user, or of a session when there is a token. */
export interface S3Credentials {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken?: string;
}

/** A role's session: keys with a token, until a time. */
export interface S3SessionKeys extends S3Credentials {
  readonly expiration: Date;
}

/** Gives the keys of a session that lasts on, a new one where it is due. Throws S3_… and IDENTITY_… errors. */
export type S3Session = () => Promise<S3SessionKeys>;

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
  /** Instead of credentials, where a role is assumed. */
  readonly session?: S3Session;
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

/** The bucket's address, for logs and locks. */
export function s3Url({ bucket, region, endpoint }: S3Location): string {
  return `${endpoint ?? `https://s3.${region}.amazonaws.com`}/${bucket}`;
}
