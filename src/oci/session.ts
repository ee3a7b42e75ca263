import { headerOf, type RegistryResponse, type Transport } from './transport.ts';

/** A blob that is about to be pushed; it can be read again from any byte. */
export interface BlobSource {
  /** A function where the digest is known only once all bytes were read: it is asked then. */
  readonly digest: string | (() => string);
  /** Bytes. */
  readonly size: number;
  /** The bytes from `offset` to the end. */
  open(offset: number): AsyncIterable<Uint8Array>;
}

export interface UploadTarget {
  readonly repository: string;
  readonly scope: string;
  /** Repository of the same registry that may hold the blob already. */
  readonly mountFrom?: string;
}

/** An upload that was begun. */
export interface Session {
  readonly location: URL;
  /** Bytes that the registry has. */
  readonly offset: number;
  /** Fewest bytes of a part that is not the last (OCI-Chunk-Min-Length). */
  readonly smallestPart?: number;
}

/** The registry hashes the whole blob before it answers the last request. */
const commitTimeoutMs = 15 * 60_000;

function sessionOf(response: RegistryResponse, offset: number, previous?: URL): Session {
  const location = headerOf(response, 'location');
  const next = location === undefined ? previous : new URL(location, response.url);
  if (next === undefined) throw new Error('it gave no address for the upload');
  // A registry behind a proxy that ends TLS may not know that it is reached by https.
  if (next.host === response.url.host) next.protocol = response.url.protocol;
  return { location: next, offset };
}

/** Begins an upload, unless the blob can be mounted. */
export async function start(
  transport: Transport,
  target: UploadTarget,
  blob: BlobSource,
): Promise<Session | 'mounted'> {
  const query = new URLSearchParams();
  if (target.mountFrom !== undefined && typeof blob.digest === 'string') {
    query.set('mount', blob.digest);
    query.set('from', target.mountFrom);
  }
  const mountScope = target.mountFrom === undefined ? '' : ` repository:${target.mountFrom}:pull`;
  const response = await transport.send({
    method: 'POST',
    path: `/v2/${target.repository}/blobs/uploads/${query.size === 0 ? '' : `?${query}`}`,
    scope: `${target.scope}${mountScope}`,
    expect: [201, 202],
    headers: { 'content-length': '0' },
  });
  await response.body.dump();
  if (response.status === 201) return 'mounted';
  const smallestPart = Number(headerOf(response, 'oci-chunk-min-length') ?? 0);
  return { ...sessionOf(response, 0), smallestPart };
}

/** What a PATCH sends: all that is left, or as much as the registry takes at once. */
export interface Part {
  readonly size: number;
  /** The bytes from the session's offset on, anew for each attempt. */
  readonly read: () => AsyncIterable<Uint8Array>;
}

/** Sends a part with its length: registries and proxies are fastest so, and some refuse chunked encoding. */
export async function sendPart(
  transport: Transport,
  target: UploadTarget,
  session: Session,
  part: Part & { readonly isWhole: boolean },
): Promise<Session> {
  const { location, offset } = session;
  const end = offset + part.size;
  // Azure refuses `bytes 0-9/10` and wants `0-9` (dotnet/sdk-container-builds#258); of a whole blob it needs none.
  const range = part.isWhole ? {} : { 'content-range': `${offset}-${end - 1}` };
  const response = await transport.send({
    method: 'PATCH',
    path: location,
    scope: target.scope,
    expect: [201, 202],
    headers: {
      'content-type': 'application/octet-stream',
      'content-length': String(part.size),
      ...range,
    },
    body: part.read,
    attempts: 1,
  });
  await response.body.dump();
  return sessionOf(response, end, location);
}

/** Ends an upload: from now on the blob is there. */
export async function commit(
  transport: Transport,
  target: UploadTarget,
  blob: BlobSource,
  location: URL,
): Promise<void> {
  const address = new URL(location);
  address.searchParams.set('digest', typeof blob.digest === 'string' ? blob.digest : blob.digest());
  const response = await transport.send({
    method: 'PUT',
    path: address,
    scope: target.scope,
    expect: [201, 204],
    headers: { 'content-length': '0' },
    timeoutMs: commitTimeoutMs,
    attempts: 1,
  });
  await response.body.dump();
}

/** Where the registry stands after a failure; undefined when it has lost the session. */
export async function progressOf(
  transport: Transport,
  target: UploadTarget,
  session: Session,
): Promise<Session | undefined> {
  const response = await transport
    .send({
      method: 'GET',
      path: session.location,
      scope: target.scope,
      expect: [204, 202, 200],
      attempts: 2,
    })
    .catch(() => undefined);
  if (response === undefined) return undefined;
  await response.body.dump();
  const last = /^(?:bytes=)?0-(\d+)$/.exec(headerOf(response, 'range') ?? '')?.[1];
  // "0-0" is also how some registries say that they have nothing, so one byte is sent again by a new session.
  if (last === undefined || last === '0') return undefined;
  return sessionOf(response, Number(last) + 1, session.location);
}

/** Size of a blob that the repository has; undefined when it has not. */
export async function statBlob(
  transport: Transport,
  target: Pick<UploadTarget, 'repository' | 'scope'>,
  digest: string,
): Promise<number | undefined> {
  const response = await transport.send({
    method: 'HEAD',
    path: `/v2/${target.repository}/blobs/${digest}`,
    scope: target.scope,
    expect: [200, 404],
  });
  await response.body.dump();
  return response.status === 404 ? undefined : Number(headerOf(response, 'content-length') ?? 0);
}
