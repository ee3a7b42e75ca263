import { discard, type HttpClient } from '../http/client.ts';
import { probeOf, unpinnable, versionMark } from '../http/identity.ts';
import { publicUrl } from '../http/location.ts';
import { repeated, storedFiles } from '../http/pinned.ts';
import type { StoredFile } from '../store.ts';
import type { RegisteredVersion } from './registry.ts';

/** A file of a version, and where it is. */
export interface Placed {
  readonly name: string;
  readonly url: URL;
  readonly size: number | undefined;
}

/**
 * Whether the server recognises a file: asked twice it tells the same strong ETag, and gives parts. One whose files
 * lie in S3 copies each to its disk for each request (a part, too), and makes the ETag of that copy.
 */
export async function recognises(client: HttpClient, file: Placed, signal: AbortSignal): Promise<boolean> {
  const identity = async (): Promise<string | undefined> => {
    const answer = await client.get(file.url, { range: 'bytes=0-0' }, { signal });
    discard(answer);
    const probe = probeOf(answer);
    return probe.ranged ? probe.identity : undefined;
  };
  return repeated(async () => {
    const first = await identity();
    return first !== undefined && first === (await identity());
  }, signal);
}

/**
 * Files with what pins them: the server's ETags; or, where it makes none that last, the registered version with the
 * file's size, and then each file is read by one request as a whole.
 */
export async function* pinnedFiles(
  client: HttpClient,
  files: readonly Placed[],
  version: RegisteredVersion,
  byEtag: boolean,
  signal: AbortSignal,
): AsyncGenerator<StoredFile> {
  const common = { versionId: version.number, lastModified: version.created };
  if (byEtag) {
    const wanted = files.map(({ name, url }) => ({ name, url }));
    for await (const stored of storedFiles(client, wanted, signal)) yield { ...stored, ...common };
    return;
  }
  const etag = `${versionMark}${version.number}@${version.created.getTime()}`;
  for (const { name, url, size } of files) {
    yield { name, size: size ?? (await sizeAt(client, url, signal)), etag, whole: true, ...common };
  }
}

/** A listing leaves out the size of an empty file. */
async function sizeAt(client: HttpClient, url: URL, signal: AbortSignal): Promise<number> {
  const answer = await repeated(() => client.get(url, {}, { signal }), signal);
  discard(answer);
  const { size } = probeOf(answer);
  if (size === undefined) throw unpinnable(publicUrl(url.href), 'neither a length nor an ETag that lasts');
  return size;
}
