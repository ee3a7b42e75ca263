import type { Access } from './access.ts';
import { corrupt, readBlob } from './blobs.ts';
import {
  checkPlatform,
  digestOf,
  parseConfig,
  parseManifest,
  type StoredManifest,
  selectPlatform,
} from './documents.ts';
import { explainNotFound, nothingThere } from './listing.ts';
import { headerOf, type RegistryResponse } from './transport.ts';
import { type ImageConfig, type Manifest, mediaTypes, type Platform } from './types.ts';

/** An image of one platform, as it stands in a registry. */
export interface RegistryImage {
  /** Digest of this platform's manifest. */
  readonly digest: string;
  readonly manifest: Manifest;
  readonly mediaType: string;
  readonly config: ImageConfig;
}

const manifestTypes = [
  mediaTypes.manifest,
  mediaTypes.index,
  mediaTypes.dockerManifest,
  mediaTypes.dockerList,
].join(', ');

function named(repository: string, version: string): string {
  return `${repository}${version.startsWith('sha256:') ? '@' : ':'}${version}`;
}

async function readManifest(access: Access, repository: string, version: string): Promise<StoredManifest> {
  const response = await access.transport.send({
    method: 'GET',
    path: `/v2/${repository}/manifests/${version}`,
    scope: access.scopeOf(repository),
    expect: [200],
    headers: { accept: manifestTypes },
  });
  const content = await access.transport.read(response);
  const what = named(repository, version);
  const stored = parseManifest(content, headerOf(response, 'content-type') ?? '', what);
  if (version.startsWith('sha256:') && version !== stored.digest) throw corrupt(what, version, stored.digest);
  return stored;
}

/** Manifest or index by tag or digest. Throws IMAGE_NOT_FOUND or REPOSITORY_NOT_FOUND with near matches. */
export function getManifest(access: Access, repository: string, version: string): Promise<StoredManifest> {
  return access.explained(`read the manifest of ${named(repository, version)}`, async () => {
    try {
      return await readManifest(access, repository, version);
    } catch (error) {
      throw nothingThere(error) ? await explainNotFound(access.transport, repository, version) : error;
    }
  });
}

/** Manifest or index; undefined when it is not there. */
export function findManifest(
  access: Access,
  repository: string,
  version: string,
): Promise<StoredManifest | undefined> {
  return access.explained(`read the manifest of ${named(repository, version)}`, async () => {
    try {
      return await readManifest(access, repository, version);
    } catch (error) {
      if (nothingThere(error)) return undefined;
      throw error;
    }
  });
}

/** The configuration that a manifest names. */
export async function getConfig(
  access: Access,
  repository: string,
  manifest: Manifest,
): Promise<ImageConfig> {
  const parts: Uint8Array[] = [];
  for await (const part of readBlob(access, repository, manifest.config.digest)) parts.push(part);
  return parseConfig(Buffer.concat(parts), repository);
}

/** The image of a platform, an index followed. Throws PLATFORM_NOT_FOUND and what {@link getManifest} throws. */
export async function getImage(
  access: Access,
  repository: string,
  version: string,
  platform: Platform,
): Promise<RegistryImage> {
  const what = named(repository, version);
  let found = await getManifest(access, repository, version);
  // An index may name another index; specifications allow it, two levels are seen.
  for (let level = 0; found.kind === 'index'; level += 1) {
    const chosen = selectPlatform(
      level < 3 ? found.index : { ...found.index, manifests: [] },
      platform,
      what,
    );
    found = await getManifest(access, repository, chosen.digest);
  }
  const config = await getConfig(access, repository, found.manifest);
  checkPlatform(config, platform, what);
  return { digest: found.digest, manifest: found.manifest, mediaType: found.mediaType, config };
}

/** A manifest or index as it is written. */
export interface NewManifest {
  readonly mediaType: string;
  readonly content: string;
}

/** Puts a document under a tag or its digest; gives the registry's answer, its body read. */
export function sendManifest(
  access: Access,
  repository: string,
  version: string,
  document: NewManifest,
): Promise<RegistryResponse> {
  return access.explained(`write the manifest ${named(repository, version)}`, async () => {
    const response = await access.transport.send({
      method: 'PUT',
      path: `/v2/${repository}/manifests/${version}`,
      scope: access.scopeOf(repository),
      expect: [201, 200],
      headers: { 'content-type': document.mediaType },
      body: () => Buffer.from(document.content, 'utf8'),
    });
    await response.body.dump();
    return response;
  });
}

/** Puts a document under a tag or its digest; gives the digest. */
export async function putManifest(
  access: Access,
  repository: string,
  version: string,
  document: NewManifest,
): Promise<string> {
  await sendManifest(access, repository, version, document);
  return digestOf(document.content);
}
