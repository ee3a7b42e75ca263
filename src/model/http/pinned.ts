import { DeliveryError } from '../../errors.ts';
import { retry } from '../../http/retry.ts';
import {
  type DirectRead,
  isTemporaryStoreError,
  modelChanged,
  type PinnedFile,
  type ReadOptions,
  retryAfter,
  type StoredFile,
} from '../store.ts';
import { bodyOf } from '../storeFailure.ts';
import { discard, type HttpAnswer, type HttpClient } from './client.ts';
import type { IndexedFile } from './document.ts';
import { isSameFile, isStrong, probeOf, startsAt, unpinnable } from './identity.ts';
import { publicUrl } from './location.ts';

/** Files that are asked about at a time. */
const probesAtOnce = 8;

/** Requests that move no model byte are repeated here; whoever reads knows better what to ask for again. */
export function repeated<T>(work: () => Promise<T>, signal: AbortSignal): Promise<T> {
  const advise = (error: unknown) => {
    const afterMs = retryAfter(error);
    return { temporary: isTemporaryStoreError(error), ...(afterMs !== undefined && { afterMs }) };
  };
  return retry(work, { attempts: 4, signal, advise });
}

/** By GET, not HEAD: signed addresses are signed for GET, and the answer tells whether parts can be had. */
export async function storedFile(
  client: HttpClient,
  file: IndexedFile,
  signal: AbortSignal,
): Promise<StoredFile> {
  const ask = async (headers: Record<string, string>): Promise<HttpAnswer> => {
    const answer = await client.get(file.url, headers, { signal, expect: [416] });
    discard(answer);
    return answer;
  };
  const part = await repeated(() => ask({ range: 'bytes=0-0' }), signal);
  // An empty file has no first byte.
  const answer = part.status === 416 ? await repeated(() => ask({}), signal) : part;
  const probe = probeOf(answer);
  const size = file.size ?? probe.size;
  const where = publicUrl(file.url.href);
  if (size === undefined) throw unpinnable(where, 'no length');
  if (probe.size !== undefined && probe.size !== size) throw wrongSize(file, size, probe.size);
  const identity = probe.identity ?? (file.sha256 === undefined ? undefined : `sha256:${file.sha256}`);
  if (identity === undefined) throw unpinnable(where, 'neither ETag nor Last-Modified');
  return {
    name: file.name,
    size,
    etag: identity,
    lastModified: probe.lastModified ?? new Date(0),
    ...probe.digests,
    ...(file.sha256 !== undefined && { sha256: file.sha256 }),
    ...(!probe.ranged && { whole: true }),
  };
}

function wrongSize(file: IndexedFile, named: number, actual: number): DeliveryError {
  return new DeliveryError({
    code: 'MODEL_INDEX_INVALID',
    side: 'storage',
    message: `The model index says that '${file.name}' has ${named} bytes, but the server has ${actual}.`,
    remedy: 'Publish the index anew, after its files; give every version addresses of its own.',
  });
}

/** What the server tells of each file, in their order. Throws MODEL_UNPINNABLE or MODEL_INDEX_INVALID. */
export async function* storedFiles(
  client: HttpClient,
  wanted: readonly IndexedFile[],
  signal: AbortSignal,
): AsyncGenerator<StoredFile> {
  for (let at = 0; at < wanted.length; at += probesAtOnce) {
    const probes = wanted.slice(at, at + probesAtOnce).map((file) => storedFile(client, file, signal));
    yield* await Promise.all(probes);
  }
}

/** Without a strong ETag nothing pins a part. */
export function directRead(
  client: HttpClient,
  url: URL,
  file: PinnedFile,
  { offset, length }: Required<ReadOptions>,
): DirectRead | undefined {
  if (!isStrong(file.etag)) return undefined;
  const range = length < file.size ? { range: `bytes=${offset}-${offset + length - 1}` } : {};
  const headers = { ...client.authorization(url), 'if-match': file.etag, ...range };
  return { url: url.href, headers, etag: file.etag };
}

/** The bytes of exactly this file, or MODEL_CHANGED. */
export async function readFile(
  client: HttpClient,
  url: URL,
  file: PinnedFile,
  options: ReadOptions,
): Promise<AsyncIterable<Uint8Array>> {
  const { signal, offset = 0 } = options;
  const take = Math.min(options.length ?? file.size, file.size - offset);
  const partly = take < file.size && take > 0;
  // Without a strong ETag a part could be of another version: the whole is read, and what is not wanted dropped.
  const pin: Record<string, string> = isStrong(file.etag) ? { 'if-match': file.etag } : {};
  const range: Record<string, string> =
    partly && isStrong(file.etag) ? { range: `bytes=${offset}-${offset + take - 1}` } : {};
  const expect = [404, 410, 412, 416];
  const answer = await client.get(url, { ...pin, ...range }, { signal, expect });
  if (expect.includes(answer.status) || !isSameFile(answer, file) || !startsAt(answer, offset)) {
    discard(answer);
    throw modelChanged(file, new Error(`HTTP ${answer.status}`));
  }
  const skip = answer.status === 206 ? 0 : offset;
  return bodyOf(answer.body, { skip, take }, file, signal);
}
