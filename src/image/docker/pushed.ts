import type { RegistryClient } from '../../oci/client.ts';
import type { Descriptor, Platform } from '../../oci/types.ts';
import { ociType } from '../base.ts';
import type { Layer } from '../layers/layer.ts';
import { type ExportedImage, lasting, stepOf } from './exported.ts';

/**
 * An image that an engine has pushed by itself, by digest: its layers are in the repository where they are wanted, so
 * none is read unless one has gone meanwhile. Throws what {@link RegistryClient.image} throws.
 */
export async function readPushed(
  client: RegistryClient,
  repository: string,
  digest: string,
  platform: Platform,
): Promise<ExportedImage> {
  const image = await client.image(repository, digest, platform);
  const config = lasting(image.config);
  const layerOf = (descriptor: Descriptor, index: number): Layer => ({
    kind: 'application',
    ...stepOf(config, index),
    mediaType: ociType(descriptor.mediaType),
    digest: descriptor.digest,
    size: descriptor.size,
    diffId: config.rootfs.diff_ids[index] ?? '',
    source: { from: 'bytes', open: (offset) => client.readBlob(repository, descriptor.digest, offset) },
  });
  return { config, layers: image.manifest.layers.map(layerOf) };
}
