import { parseManifest, selectPlatform } from '../../src/oci/documents.ts';
import type { Descriptor, Platform } from '../../src/oci/types.ts';
import {
  pushBlob,
  pushManifest,
  type Repository,
  readBlob,
  readManifest,
  type StoredDocument,
} from './push.ts';

async function platformManifest(
  source: Repository,
  tag: string,
  platform: Platform,
): Promise<{ readonly document: StoredDocument; readonly blobs: readonly Descriptor[] }> {
  const what = `${source.name}:${tag}`;
  // The first request shows whether the registry can be reached: no second attempt.
  const first = await readManifest(source, tag, 1);
  if (first === undefined) throw new Error(`${what} does not exist`);
  const top = parseManifest(first.content, first.mediaType, what);
  if (top.kind === 'image') return { document: first, blobs: [top.manifest.config, ...top.manifest.layers] };
  const chosen = selectPlatform(top.index, platform, what);
  const document = await readManifest(source, chosen.digest);
  if (document === undefined) throw new Error(`${what} for this platform does not exist`);
  const inner = parseManifest(document.content, document.mediaType, what);
  if (inner.kind !== 'image') throw new Error(`${what} has an index within its index`);
  return { document, blobs: [inner.manifest.config, ...inner.manifest.layers] };
}

/** Copies the platform's image from one registry to another, blobs first; the digest under the tag. */
export async function copyImage(
  source: Repository,
  target: Repository,
  tag: string,
  platform: Platform,
): Promise<string> {
  const { document, blobs } = await platformManifest(source, tag, platform);
  await Promise.all(blobs.map((blob) => pushBlob(target, blob, () => readBlob(source, blob.digest))));
  await pushManifest(target, tag, document);
  return document.digest;
}
