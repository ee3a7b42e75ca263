import { DeliveryError } from '../errors.ts';
import type { RegistryClient } from '../oci/client.ts';
import { formatReference, type ImageReference, wantedVersion } from '../oci/reference.ts';
import { type Descriptor, type ImageConfig, mediaTypes, type Platform } from '../oci/types.ts';
import type { Layer } from './layers/layer.ts';

/** An image to build upon: its manifest and configuration, no layer is read. */
export interface BaseImage {
  /** As the user wrote it, completed. */
  readonly name: string;
  /** Digest of the manifest for the platform. */
  readonly digest: string;
  readonly config: ImageConfig;
  readonly layers: readonly Layer[];
}

/** Docker's media types have OCI names too; in an OCI manifest they stand under these. */
const ociTypes: Readonly<Record<string, string>> = {
  [mediaTypes.dockerLayerGzip]: mediaTypes.layerGzip,
  'application/vnd.docker.image.rootfs.diff.tar': mediaTypes.layer,
  'application/vnd.docker.image.rootfs.diff.tar.zstd': mediaTypes.layerZstd,
};

/** The name that a layer's media type has in an OCI manifest. */
export function ociType(mediaType: string): string {
  return ociTypes[mediaType] ?? mediaType;
}

function foreign(name: string): DeliveryError {
  return new DeliveryError({
    code: 'BASE_IMAGE_UNSUPPORTED',
    side: 'registry',
    message: `Base image '${name}' keeps layers outside of its registry, or its documents contradict each other.`,
    remedy: 'Use another base image.',
  });
}

/** Reads the base image. `sameRegistry` says that its blobs can be mounted into the target repository. */
export async function readBase(
  client: RegistryClient,
  reference: ImageReference,
  platform: Platform,
  sameRegistry: boolean,
): Promise<BaseImage> {
  const { repository } = reference;
  const name = formatReference(reference);
  const image = await client.image(repository, wantedVersion(reference), platform);
  const diffIds = image.config.rootfs.diff_ids;
  const { layers } = image.manifest;
  if (diffIds.length !== layers.length || layers.some((layer) => layer.urls !== undefined))
    throw foreign(name);

  const layerOf = (descriptor: Descriptor, index: number): Layer => ({
    kind: 'base',
    title: `${reference.repository}, layer ${index + 1}`,
    mediaType: ociType(descriptor.mediaType),
    digest: descriptor.digest,
    size: descriptor.size,
    diffId: diffIds[index] ?? '',
    createdBy: '',
    source: {
      from: 'repository',
      ...(sameRegistry ? { mountFrom: repository } : {}),
      open: (offset) => client.readBlob(repository, descriptor.digest, offset),
    },
  });
  return { name, digest: image.digest, config: image.config, layers: layers.map(layerOf) };
}
