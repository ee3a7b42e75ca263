import { annotations } from '../oci/annotations.ts';
import { digestOf } from '../oci/documents.ts';
import type { BlobSource } from '../oci/session.ts';
import { type Descriptor, type ImageConfig, type Manifest, mediaTypes } from '../oci/types.ts';
import type { Layer } from './layers/layer.ts';

/** An image's two documents, ready to be pushed. */
export interface ImageDocuments {
  readonly config: BlobSource;
  readonly manifest: { readonly mediaType: string; readonly content: string };
  readonly digest: string;
}

function layerDescriptor(layer: Layer): Descriptor {
  const { mediaType, digest, size } = layer;
  if (layer.kind === 'base') return { mediaType, digest, size };
  const described = { [annotations.layerKind]: layer.kind, [annotations.title]: layer.title };
  return { mediaType, digest, size, annotations: described };
}

/** A blob of small, known content. */
export function blobOf(content: string): BlobSource & { readonly digest: string } {
  const bytes = Buffer.from(content, 'utf8');
  return {
    digest: digestOf(bytes),
    size: bytes.byteLength,
    async *open(offset) {
      yield bytes.subarray(offset);
    },
  };
}

/** Names sorted, so that equal annotations give equal bytes. */
export function sortedRecord(record: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(Object.entries(record).sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0)));
}

/** Configuration and manifest for these layers; OCI image specification 1.1, manifest.md and config.md. */
export function imageDocuments(
  config: ImageConfig,
  layers: readonly Layer[],
  notes: Readonly<Record<string, string>>,
): ImageDocuments {
  const blob = blobOf(JSON.stringify(config));
  const manifest: Manifest = {
    schemaVersion: 2,
    mediaType: mediaTypes.manifest,
    config: { mediaType: mediaTypes.config, digest: blob.digest, size: blob.size },
    layers: layers.map(layerDescriptor),
    annotations: sortedRecord(notes),
  };
  const content = JSON.stringify(manifest);
  return { config: blob, manifest: { mediaType: mediaTypes.manifest, content }, digest: digestOf(content) };
}
