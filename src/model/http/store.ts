import { childrenOf, compareNames } from '../names.ts';
import { type ModelStore, modelChanged } from '../store.ts';
import { bodyOf } from '../storeFailure.ts';
import {
  createHttpClient,
  discard,
  type HttpAdvice,
  type HttpAnswer,
  type HttpClient,
  headerOf,
} from './client.ts';
import { type IndexedFile, isIndex, parseIndex } from './document.ts';
import { basicAuthorization, type HttpLocation, publicUrl } from './location.ts';
import { directRead, readFile, repeated, storedFiles } from './pinned.ts';

/** An index names files; one that is larger is a model. */
const largestIndex = 16 * 1024 * 1024;

interface Access {
  readonly location: HttpLocation;
  readonly client: HttpClient;
}

function adviceFor({ credentials }: HttpLocation): HttpAdvice {
  return {
    input: 'url',
    missing: "Correct 'url', or the address in the index.",
    refused:
      credentials !== undefined
        ? "Check user name and password of the service connection in 'httpConnection', and the reader's rights."
        : "Name a generic service connection with user name and password in 'httpConnection'; if 'url' is a signed address, make a new one: it may have expired.",
  };
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

/**
 * A model on a web server: one file, or what an index document names (docs/fetch-model-sources.md). Bytes are
 * pinned by If-Match on a strong ETag; where a server has none, the whole file is read and its weak ETag or
 * Last-Modified compared.
 */
export function openHttpStore(location: HttpLocation): ModelStore {
  const { credentials } = location;
  const client = createHttpClient({
    home: location.url,
    advice: adviceFor(location),
    ...(credentials && { authorization: basicAuthorization(credentials) }),
  });
  const access: Access = { location, client };
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
      yield* storedFiles(client, wanted, signal);
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
      return url === undefined ? undefined : directRead(client, url, file, part);
    },
    async read(file, options) {
      options.signal.throwIfAborted();
      if (addresses?.has(file.name) !== true) await known(options.signal);
      const url = addresses?.get(file.name);
      if (url === undefined) throw modelChanged(file, new Error('the index does not name it any more'));
      return readFile(client, url, file, options);
    },
  };
}
