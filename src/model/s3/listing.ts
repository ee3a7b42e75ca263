import {
  GetBucketVersioningCommand,
  ListBucketsCommand,
  ListObjectsV2Command,
  ListObjectVersionsCommand,
  type ListObjectVersionsCommandInput,
  type ListObjectVersionsCommandOutput,
  type ObjectVersion,
  type S3Client,
} from '@aws-sdk/client-s3';
import { DeliveryError } from '../../errors.ts';
import { nearest } from '../../report/nearest.ts';
import type { StoredFile } from '../store.ts';
import { explainedS3Error, type S3Action, s3Code } from './errors.ts';
import { type S3Location, s3Url } from './location.ts';

/** A bucket, its client, and how many names a page has. */
export interface Bucket {
  readonly location: S3Location;
  readonly client: S3Client;
  readonly pageSize: number;
}

type ListedObject = {
  readonly [K in 'Key' | 'Size' | 'ETag' | 'LastModified' | 'VersionId']?: ObjectVersion[K] | undefined;
};

/** Header form of an ETag: some services leave the quotation marks out of listings. */
export function quoted(etag: string): string {
  return etag.startsWith('"') || etag.startsWith('W/') ? etag : `"${etag}"`;
}

/** Consoles make folders as empty objects whose names end with a slash. */
function isFolderMarker({ Key, Size }: ListedObject): boolean {
  return Key === undefined || (Key.endsWith('/') && (Size ?? 0) === 0);
}

/** An object as the service describes it. */
export function storedFile({ Key = '', Size, ETag, LastModified, VersionId }: ListedObject): StoredFile {
  return {
    name: Key,
    size: Size ?? 0,
    etag: quoted(ETag ?? ''),
    lastModified: LastModified ?? new Date(0),
    ...(VersionId !== undefined && { versionId: VersionId }),
  };
}

async function bucketMissing({ client, location }: Bucket, signal: AbortSignal, cause: unknown) {
  let hint: string;
  try {
    const { Buckets = [] } = await client.send(new ListBucketsCommand({}), { abortSignal: signal });
    const near = nearest(
      location.bucket,
      Buckets.flatMap(({ Name }) => Name ?? []),
    );
    hint = near.length === 0 ? 'There are no buckets.' : `Nearest names: ${near.join(', ')}.`;
  } catch {
    signal.throwIfAborted();
    hint = 'The credential may not list the buckets (s3:ListAllMyBuckets), so no near names can be shown.';
  }
  return new DeliveryError({
    code: 'BUCKET_NOT_FOUND',
    side: 'storage',
    message: `Bucket '${location.bucket}' does not exist at ${s3Url(location)}. ${hint}`,
    remedy: "Correct 'bucket' (and 's3Endpoint', if it is another service's).",
    cause,
  });
}

/** A failure in words for the log. */
export async function explained(
  bucket: Bucket,
  error: unknown,
  action: S3Action,
  signal: AbortSignal,
): Promise<unknown> {
  signal.throwIfAborted();
  return s3Code(error) === 'NoSuchBucket'
    ? await bucketMissing(bucket, signal, error)
    : explainedS3Error(error, bucket.location, action);
}

/** Whether the bucket keeps old versions and this credential may list them; otherwise ETags pin. */
export async function keepsVersions(bucket: Bucket, signal: AbortSignal): Promise<boolean> {
  const { client, location } = bucket;
  try {
    const command = new GetBucketVersioningCommand({ Bucket: location.bucket });
    const { Status } = await client.send(command, { abortSignal: signal });
    if (Status !== 'Enabled') return false;
    const probe = new ListObjectVersionsCommand({ Bucket: location.bucket, MaxKeys: 1 });
    await client.send(probe, { abortSignal: signal });
    return true;
  } catch (error) {
    signal.throwIfAborted();
    const refused = /^(AccessDenied|NotImplemented|MethodNotAllowed|VersioningNotConfigured)$/.test(
      s3Code(error),
    );
    if (refused) return false;
    throw await explained(bucket, error, 's3:GetBucketVersioning', signal);
  }
}

async function* listPlain(
  bucket: Bucket,
  Prefix: string,
  abortSignal: AbortSignal,
): AsyncGenerator<ListedObject> {
  const { client, location, pageSize: MaxKeys } = bucket;
  let ContinuationToken: string | undefined;
  do {
    const page = { Bucket: location.bucket, Prefix, MaxKeys, ContinuationToken };
    const { Contents = [], NextContinuationToken } = await client.send(new ListObjectsV2Command(page), {
      abortSignal,
    });
    yield* Contents;
    ContinuationToken = NextContinuationToken;
  } while (ContinuationToken !== undefined);
}

async function* listVersions(
  bucket: Bucket,
  Prefix: string,
  abortSignal: AbortSignal,
): AsyncGenerator<ListedObject> {
  const { client, location, pageSize: MaxKeys } = bucket;
  let markers: Pick<ListObjectVersionsCommandInput, 'KeyMarker' | 'VersionIdMarker'> | undefined = {};
  while (markers !== undefined) {
    const command = new ListObjectVersionsCommand({ Bucket: location.bucket, Prefix, MaxKeys, ...markers });
    const answer: ListObjectVersionsCommandOutput = await client.send(command, { abortSignal });
    for (const version of answer.Versions ?? []) if (version.IsLatest === true) yield version;
    markers =
      answer.IsTruncated === true && answer.NextKeyMarker !== undefined
        ? { KeyMarker: answer.NextKeyMarker, VersionIdMarker: answer.NextVersionIdMarker }
        : undefined;
  }
}

/** All objects below a prefix, ascending; of a versioned bucket the latest version of each. */
export async function* listObjects(
  bucket: Bucket,
  prefix: string,
  versioned: boolean,
  signal: AbortSignal,
): AsyncGenerator<StoredFile> {
  const list = versioned ? listVersions : listPlain;
  let last: string | undefined;
  try {
    for await (const object of list(bucket, prefix, signal)) {
      // Some services begin a page of versions with the last one of the page before.
      if (object.Key === last || isFolderMarker(object)) continue;
      last = object.Key;
      yield storedFile(object);
    }
  } catch (error) {
    throw await explained(bucket, error, versioned ? 's3:ListBucketVersions' : 's3:ListBucket', signal);
  }
}

/** The names one level below a prefix, folders by their slash. */
export async function listChildren(bucket: Bucket, prefix: string, signal: AbortSignal): Promise<string[]> {
  const { client, location, pageSize: MaxKeys } = bucket;
  const names = new Set<string>();
  let ContinuationToken: string | undefined;
  try {
    do {
      const page = { Bucket: location.bucket, Prefix: prefix, Delimiter: '/', MaxKeys, ContinuationToken };
      const answer = await client.send(new ListObjectsV2Command(page), { abortSignal: signal });
      for (const { Prefix } of answer.CommonPrefixes ?? []) names.add((Prefix ?? '').slice(prefix.length));
      for (const object of answer.Contents ?? []) {
        if (!isFolderMarker(object)) names.add((object.Key ?? '').slice(prefix.length));
      }
      ContinuationToken = answer.NextContinuationToken;
    } while (ContinuationToken !== undefined);
  } catch (error) {
    throw await explained(bucket, error, 's3:ListBucket', signal);
  }
  return [...names].sort();
}
