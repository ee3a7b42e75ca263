import { Readable } from 'node:stream';
import {
  GetObjectCommand,
  type GetObjectCommandOutput,
  HeadObjectCommand,
  type S3Client,
  type S3ServiceException,
} from '@aws-sdk/client-s3';
import { digestsOf, type KnownDigests } from '../checksums.ts';
import {
  type ModelStore,
  modelChanged,
  type PinnedFile,
  type ReadOptions,
  type StoredFile,
} from '../store.ts';
import { bodyOf } from '../storeFailure.ts';
import { s3Client } from './client.ts';
import { createSigner } from './direct.ts';
import { s3Code } from './errors.ts';
import {
  type Bucket,
  explained,
  keepsVersions,
  listChildren,
  listObjects,
  quoted,
  storedFile,
} from './listing.ts';
import { type S3Location, s3Url } from './location.ts';

const changedCodes: ReadonlySet<string> = new Set([
  'PreconditionFailed',
  'NoSuchKey',
  'NoSuchVersion',
  'NotFound',
  'InvalidRange',
  'MethodNotAllowed',
]);

/** A service that ignores the condition, or gives another part, must not pass for one that heeds them. */
function isAsked(answer: GetObjectCommandOutput, file: PinnedFile, offset: number): boolean {
  const sameFile = answer.ETag === undefined || quoted(answer.ETag) === file.etag;
  const start = /^bytes (\d+)-/.exec(answer.ContentRange ?? '')?.[1];
  return sameFile && (start === undefined || Number(start) === offset);
}

/** The request for a part of exactly this version. */
function pinned({ location }: Bucket, file: PinnedFile, offset: number, take: number): GetObjectCommand {
  const partly = take > 0 && take < file.size;
  return new GetObjectCommand({
    Bucket: location.bucket,
    Key: file.name,
    IfMatch: file.etag,
    ...(file.versionId !== undefined && { VersionId: file.versionId }),
    ...(partly && { Range: `bytes=${offset}-${offset + take - 1}` }),
  });
}

async function readObject(bucket: Bucket, reading: S3Client, file: PinnedFile, options: ReadOptions) {
  const { signal, offset = 0 } = options;
  const take = Math.min(options.length ?? file.size, file.size - offset);
  const command = pinned(bucket, file, offset, take);
  signal.throwIfAborted();
  let answer: GetObjectCommandOutput;
  try {
    answer = await reading.send(command, { abortSignal: signal });
  } catch (error) {
    if (changedCodes.has(s3Code(error))) throw modelChanged(file, error);
    throw await explained(bucket, error, 's3:GetObject', signal);
  }
  const body = answer.Body;
  if (!(body instanceof Readable)) throw new Error('the answer has no body');
  const stop = (): void => void body.destroy(new Error('aborted'));
  signal.addEventListener('abort', stop, { once: true });
  body.once('close', () => signal.removeEventListener('abort', stop));
  if (!isAsked(answer, file, offset)) {
    body.on('error', () => undefined).destroy();
    throw modelChanged(
      file,
      new Error(`the service answered with ${answer.ETag} ${answer.ContentRange ?? ''}`),
    );
  }
  return bodyOf(body, { skip: answer.ContentRange === undefined ? offset : 0, take }, file, signal);
}

/** The publisher's SHA-256 (metadata `sha256`), else the checksum that the service keeps of the whole object. */
async function digestsOfObject(
  bucket: Bucket,
  file: PinnedFile,
  abortSignal: AbortSignal,
): Promise<KnownDigests> {
  const command = new HeadObjectCommand({
    Bucket: bucket.location.bucket,
    Key: file.name,
    IfMatch: file.etag,
    ChecksumMode: 'ENABLED',
    ...(file.versionId !== undefined && { VersionId: file.versionId }),
  });
  try {
    const answer = await bucket.client.send(command, { abortSignal });
    const headers: Readonly<Record<string, string | undefined>> = {
      'x-amz-meta-sha256': answer.Metadata?.['sha256'],
      'x-amz-checksum-sha256': answer.ChecksumSHA256,
      'x-amz-checksum-sha1': answer.ChecksumSHA1,
      'x-amz-checksum-crc64nvme': answer.ChecksumCRC64NVME,
      'x-amz-checksum-crc32c': answer.ChecksumCRC32C,
      'x-amz-checksum-crc32': answer.ChecksumCRC32,
      'x-amz-checksum-type': answer.ChecksumType,
    };
    return digestsOf(200, (name) => headers[name]);
  } catch (error) {
    if (changedCodes.has(s3Code(error))) throw modelChanged(file, error);
    throw await explained(bucket, error, 's3:GetObject', abortSignal);
  }
}

/** The object's version of this id, also when it is overwritten or deleted. */
async function objectAsOf(
  bucket: Bucket,
  Key: string,
  VersionId: string,
  abortSignal: AbortSignal,
): Promise<StoredFile | undefined> {
  try {
    const command = new HeadObjectCommand({ Bucket: bucket.location.bucket, Key, VersionId });
    const answer = await bucket.client.send(command, { abortSignal });
    if (answer.VersionId !== VersionId) return undefined;
    return storedFile({ ...answer, Key, Size: answer.ContentLength });
  } catch (error) {
    // A HEAD's refusal has no body that would say more: a malformed id, none of this object, a deletion.
    const { httpStatusCode = 0 } = (error as Partial<S3ServiceException>).$metadata ?? {};
    if ([400, 404, 405].includes(httpStatusCode)) return undefined;
    throw await explained(bucket, error, 's3:GetObject', abortSignal);
  }
}

/** How the store is asked. */
export interface S3Options {
  /** Names a page of a listing; the service gives 1,000 at most. */
  readonly pageSize?: number;
}

/**
 * Models in an S3 bucket. Bytes are pinned by If-Match on the listed ETag, in a versioned bucket by the versionId
 * too, so that a version that is overwritten while it is read stays readable.
 */
export function openS3Store(location: S3Location, options: S3Options = {}): ModelStore {
  const bucket: Bucket = { location, client: s3Client(location, 4), pageSize: options.pageSize ?? 1000 };
  const reading = s3Client(location, 1);
  const sign = createSigner(location);
  let versioned: boolean | undefined;
  return {
    source: { type: 's3', url: s3Url(location) },
    async *list(prefix, signal) {
      signal.throwIfAborted();
      versioned ??= await keepsVersions(bucket, signal);
      yield* listObjects(bucket, prefix, versioned, signal);
    },
    children: (prefix, signal) => listChildren(bucket, prefix, signal),
    asOf: (name, versionId, signal) => objectAsOf(bucket, name, versionId, signal),
    digests: (file, signal) => digestsOfObject(bucket, file, signal),
    direct: (file, { offset, length }) => sign(pinned(bucket, file, offset, length), file.etag),
    read: (file, readOptions) => readObject(bucket, reading, file, readOptions),
  };
}
