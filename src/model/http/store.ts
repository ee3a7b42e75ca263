import { DeliveryError } from '../../errors.ts';
import { retry } from '../../http/retry.ts';
import { childrenOf, compareNames } from '../names.ts';
import {
  isTemporaryStoreError,
  type ModelStore,
  modelChanged,
  type PinnedFile,
  type ReadOptions,
  retryAfter,
  type StoredFile,
} from '../store.ts';
import { bodyOf } from '../storeFailure.ts';
import { createHttpClient, discard, type HttpAnswer, type HttpClient, headerOf } from './client.ts';
import { type IndexedFile, isIndex, parseIndex } from './document.ts';
import { isSameFile, isStrong, probeOf, startsAt, unpinnable } from './identity.ts';
import { type HttpLocation, publicUrl } from './location.ts';

/** An index names files; one that is larger is a model. */
const largestIndex = 16 * 1024 * 1024;
/** Files that are asked about at a time. */
const probesAtOnce = 8;

interface Access {
  readonly location: HttpLocation;
  readonly client: HttpClient;
}

/** Requests that move no model byte are repeated here; whoever reads knows better what to ask for again. */
function repeated<T>(work: () => Promise<T>, signal: AbortSignal): Promise<T> {
  const advise = (error: unknown) => {
    const afterMs = retryAfter(error);
    return { temporary: isTemporaryStoreError(error), ...(afterMs !== undefined && { afterMs }) };
  };
  return retry(work, { attempts: 4, signal, advise });
}

function parsed(content: Buffer): unknown {
  try {
    return JSON.parse(content.toString('utf8').replace(/^\uFEFF/, ''));
  } catch {
    return undefined;
  }
}

/** The JSON document that an answer holds; undefined for anything else, which is a model then. */
async function documentIn(answer: HttpAnswer, url: URL, signal: AbortSignal): Promise<unknown> {
  const isJson = /\bjson\b/i.test(headerOf(answer, 'content-type') ?? '') || url.pathname.endsWith('.json');
  if (!isJson || Number(headerOf(answer, 'content-length') ?? 0) > largestIndex) return undefined;
  const pieces: Uint8Array[] = [];
  const part = { skip: 0, take: largestIndex };
  for await (const piece of bodyOf(answer.body, part, { name: publicUrl(url.href) }, signal))
    pieces.push(piece);
  return parsed(Buffer.concat(pieces));
}

/** The files behind the address: those of the index that it gives, else the one file that it is. */
async function filesOf({ location, client }: Access, signal: AbortSignal): Promise<IndexedFile[]> {
  const url = new URL(location.url);
  const answer = await client.get(url, { 'cache-control': 'no-cache' }, { signal });
  try {
    const index = await documentIn(answer, url, signal);
    if (isIndex(index))
      return parseIndex(index, location.model, url).sort((a, b) => compareNames(a.name, b.name));
  } finally {
    discard(answer);
  }
  const last = url.pathname.slice(url.pathname.lastIndexOf('/') + 1);
  return [{ name: `${location.model}/${last === '' ? 'model' : decodeURIComponent(last)}`, url }];
}

/** By GET, not HEAD: signed addresses are signed for GET, and the answer tells whether parts can be had. */
async function storedFile({ client }: Access, file: IndexedFile, signal: AbortSignal): Promise<StoredFile> {
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

async function* storedFiles(
  access: Access,
  wanted: readonly IndexedFile[],
  signal: AbortSignal,
): AsyncGenerator<StoredFile> {
  for (let at = 0; at < wanted.length; at += probesAtOnce) {
    const probes = wanted.slice(at, at + probesAtOnce).map((file) => storedFile(access, file, signal));
    yield* await Promise.all(probes);
  }
}

/** Without a strong ETag nothing pins a part. */
function directRead(
  { client }: Access,
  url: URL,
  file: PinnedFile,
  { offset, length }: Required<ReadOptions>,
) {
  if (!isStrong(file.etag)) return undefined;
  const range = length < file.size ? { range: `bytes=${offset}-${offset + length - 1}` } : {};
  const headers = { ...client.authorization(url), 'if-match': file.etag, ...range };
  return { url: url.href, headers, etag: file.etag };
}

async function readFile(access: Access, url: URL, file: PinnedFile, options: ReadOptions) {
  const { signal, offset = 0 } = options;
  const take = Math.min(options.length ?? file.size, file.size - offset);
  const partly = take < file.size && take > 0;
  // Without a strong ETag a part could be of another version: the whole is read, and what is not wanted dropped.
  const pin: Record<string, string> = isStrong(file.etag) ? { 'if-match': file.etag } : {};
  const range: Record<string, string> =
    partly && isStrong(file.etag) ? { range: `bytes=${offset}-${offset + take - 1}` } : {};
  const expect = [404, 410, 412, 416];
  const answer = await access.client.get(url, { ...pin, ...range }, { signal, expect });
  if (expect.includes(answer.status) || !isSameFile(answer, file) || !startsAt(answer, offset)) {
    discard(answer);
    throw modelChanged(file, new Error(`HTTP ${answer.status}`));
  }
  const skip = answer.status === 206 ? 0 : offset;
  return bodyOf(answer.body, { skip, take }, file, signal);
}

/**
 * A model on a web server: one file, or what an index document names (docs/fetch-model-sources.md). Bytes are
 * pinned by If-Match on a strong ETag; where a server has none, the whole file is read and its weak ETag or
 * Last-Modified compared.
 */
export function openHttpStore(location: HttpLocation): ModelStore {
  const access: Access = { location, client: createHttpClient(location) };
  let addresses: ReadonlyMap<string, URL> | undefined;
  const known = async (signal: AbortSignal): Promise<IndexedFile[]> => {
    const files = await repeated(() => filesOf(access, signal), signal);
    addresses = new Map(files.map((file) => [file.name, file.url]));
    return files;
  };
  return {
    source: { type: 'http', url: publicUrl(location.url) },
    async *list(prefix, signal) {
      const files = await known(signal);
      const wanted = files.filter((file) => file.name.startsWith(prefix));
      yield* storedFiles(access, wanted, signal);
    },
    async children(prefix, signal) {
      const files = await known(signal);
      return childrenOf(
        files.map((file) => file.name),
        prefix,
      );
    },
    async direct(file, part) {
      const url = addresses?.get(file.name);
      return url === undefined ? undefined : directRead(access, url, file, part);
    },
    async read(file, options) {
      options.signal.throwIfAborted();
      if (addresses?.has(file.name) !== true) await known(options.signal);
      const url = addresses?.get(file.name);
      if (url === undefined) throw modelChanged(file, new Error('the index does not name it any more'));
      return readFile(access, url, file, options);
    },
  };
}
