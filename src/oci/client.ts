import { createAccess, type RegistryClientOptions } from './access.ts';
import { removeAcrTag } from './acrTags.ts';
import { hasBlob, pushBlobTo, readBlob } from './blobs.ts';
import type { StoredManifest } from './documents.ts';
import { findManifest, getConfig, getImage, getManifest, putManifest, type RegistryImage } from './images.ts';
import { explainNotFound, listPages, nothingThere } from './listing.ts';
import { type Artifact, listReferrers, pushReferrer } from './referrers.ts';
import type { BlobSource } from './session.ts';
import type { Descriptor, ImageConfig, Manifest, Platform } from './types.ts';

/**
 * One container registry by the OCI distribution API. Every method throws DeliveryErrors that name registry,
 * repository and cause; requests that failed for a passing reason were repeated before.
 * https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md
 */
export interface RegistryClient {
  /** Scheme and host of the API, for example `https://myteam.azurecr.io`. */
  readonly url: string;
  /** First part of the names of this registry's images. */
  readonly host: string;
  /** All tags in the registry's order. Throws REPOSITORY_NOT_FOUND with near matches. */
  listTags(repository: string): Promise<readonly string[]>;
  /** Manifest or index by tag or digest. Throws IMAGE_NOT_FOUND or REPOSITORY_NOT_FOUND with near matches. */
  manifest(repository: string, version: string): Promise<StoredManifest>;
  /** Like {@link manifest}; undefined when the tag, the digest or the repository is not there. */
  findManifest(repository: string, version: string): Promise<StoredManifest | undefined>;
  /** The image of a platform, an index followed. Throws PLATFORM_NOT_FOUND and what {@link manifest} throws. */
  image(repository: string, version: string, platform: Platform): Promise<RegistryImage>;
  /** The configuration that a manifest names. */
  config(repository: string, manifest: Manifest): Promise<ImageConfig>;
  /** Puts a document under a tag or its digest; gives the digest. */
  putManifest(
    repository: string,
    version: string,
    document: { readonly mediaType: string; readonly content: string },
  ): Promise<string>;
  /** Whether the repository has the blob. */
  hasBlob(repository: string, digest: string): Promise<boolean>;
  /** A blob's bytes; read from its beginning, it ends with BLOB_CORRUPT when they are not those of the digest. */
  readBlob(repository: string, digest: string, offset?: number): AsyncIterable<Uint8Array>;
  /** Pushes a blob, mounted from another repository of this registry where it can be. */
  pushBlob(repository: string, blob: BlobSource, mountFrom?: string): Promise<'mounted' | 'uploaded'>;
  /** Removes a tag, of Azure's registries alone, and leaves its manifest. Throws REGISTRY_… errors. */
  removeTag(repository: string, tag: string): Promise<void>;
  /** What tells about a manifest. Throws REFERRERS_TAG_INVALID. */
  referrers(repository: string, digest: string): Promise<readonly Descriptor[]>;
  /** Pushes a document about the manifest `subject`; gives its manifest's digest. Throws REFERRERS_TAG_INVALID. */
  pushReferrer(repository: string, subject: Descriptor, artifact: Artifact): Promise<string>;
}

/** A client of one registry. Credentials go to that registry and its token service alone. */
export function createRegistryClient(options: RegistryClientOptions): RegistryClient {
  const access = createAccess(options);
  const { transport } = access;
  const listTags = async (repository: string): Promise<readonly string[]> => {
    const path = `/v2/${repository}/tags/list?n=1000`;
    try {
      return await listPages(transport, path, 'tags', access.scopeOf(repository));
    } catch (error) {
      throw nothingThere(error) ? await explainNotFound(transport, repository) : error;
    }
  };
  return {
    url: transport.origin.origin,
    host: transport.origin.host === 'registry-1.docker.io' ? 'docker.io' : transport.origin.host,
    listTags: (repository) => access.explained(`read the tags of ${repository}`, () => listTags(repository)),
    manifest: (repository, version) => getManifest(access, repository, version),
    findManifest: (repository, version) => findManifest(access, repository, version),
    image: (repository, version, platform) => getImage(access, repository, version, platform),
    config: (repository, manifest) => getConfig(access, repository, manifest),
    putManifest: (repository, version, document) => putManifest(access, repository, version, document),
    hasBlob: (repository, digest) => hasBlob(access, repository, digest),
    readBlob: (repository, digest, offset) => readBlob(access, repository, digest, offset),
    pushBlob: (repository, blob, mountFrom) =>
      pushBlobTo(access, { repository, ...(mountFrom === undefined ? {} : { mountFrom }) }, blob, options),
    removeTag: (repository, tag) => removeAcrTag(access, repository, tag),
    referrers: (repository, digest) => listReferrers(access, repository, digest),
    pushReferrer: (repository, subject, artifact) =>
      pushReferrer(access, { repository, subject }, artifact, options),
  };
}
