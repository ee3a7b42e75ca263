import { digestOf } from '../oci/documents.ts';
import { type Descriptor, formatPlatform, type Index, mediaTypes } from '../oci/types.ts';
import { type AssembledImage, type AssembleOptions, notesOf } from './assemble.ts';
import { sortedRecord } from './documents.ts';

/** What a tag names: the one platform's manifest, or an index of several. */
export interface WholeImage {
  readonly images: readonly AssembledImage[];
  readonly document: { readonly mediaType: string; readonly content: string };
  readonly descriptor: Descriptor;
  /** `sha256:…` over all that went in but time and run. */
  readonly inputs: string;
}

function wholeOf(
  images: readonly AssembledImage[],
  document: WholeImage['document'],
  inputs: string,
): WholeImage {
  const { mediaType, content } = document;
  const descriptor = { mediaType, digest: digestOf(content), size: Buffer.byteLength(content) };
  return { images, document, descriptor, inputs };
}

function entryOf({ documents, platform }: AssembledImage): Descriptor {
  const { manifest, digest } = documents;
  const size = Buffer.byteLength(manifest.content);
  return { mediaType: manifest.mediaType, digest, size, platform };
}

/**
 * The images as one: a single one as it is, several in an index. The index is OCI's whatever the bases are, since the
 * manifests in it are.
 * https://github.com/opencontainers/image-spec/blob/v1.1.1/image-index.md
 */
export function joinPlatforms(
  images: readonly AssembledImage[],
  notes: Pick<AssembleOptions, 'model' | 'runLabels' | 'created' | 'test'>,
): WholeImage {
  const [first] = images;
  if (images.length === 1 && first !== undefined) {
    return wholeOf(images, first.documents.manifest, first.inputs);
  }
  const parts = images.map((image) => [formatPlatform(image.platform), image.inputs]);
  const inputs = digestOf(JSON.stringify(['v1', parts]));
  const index: Index = {
    schemaVersion: 2,
    mediaType: mediaTypes.index,
    manifests: images.map(entryOf),
    annotations: sortedRecord(notesOf(notes, inputs)),
  };
  return wholeOf(images, { mediaType: mediaTypes.index, content: JSON.stringify(index) }, inputs);
}
