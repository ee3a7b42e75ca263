import type { RegistryClient } from '../oci/client.ts';
import type { StoredManifest } from '../oci/documents.ts';
import type { Descriptor } from '../oci/types.ts';
import { annotations } from './annotations.ts';
import { type AssembledImage, assembleImage } from './assemble.ts';
import type { ImageBuilder } from './builder.ts';
import type { DeliveredModel } from './model/deliver.ts';
import { type PushedLayer, pushLayers } from './push.ts';
import { type PublishedDocument, publishDocuments, type WantedDocuments } from './referrers/publish.ts';
import type { ImageSettings } from './settings.ts';

/** The test that an image must pass before it gets a tag. */
export interface ImageTest {
  /** Digest of what it asks: an image that has it in its annotations has passed. */
  readonly key: string;
  /** Throws when the image of this digest fails. */
  readonly run: (digest: string, model: DeliveredModel | undefined) => Promise<void>;
}

export interface BuildRequest {
  readonly client: RegistryClient;
  readonly repository: string;
  readonly tags: readonly string[];
  readonly builder: ImageBuilder;
  /** Runs beside the builder. */
  readonly deliverModel?: () => Promise<DeliveredModel>;
  readonly settings: ImageSettings;
  readonly runLabels: Readonly<Record<string, string>>;
  readonly created: Date;
  readonly test?: ImageTest;
  /** Documents about the image, which are in the registry before it has a tag. */
  readonly documents?: WantedDocuments;
  /** Told of something that does not keep the image from being right. */
  readonly warn: (text: string) => void;
  readonly onBytes?: (bytes: number) => void;
}

export interface BuiltImage {
  readonly digest: string;
  /** False when the newest image of the same inputs was there and only tags were put on it. */
  readonly changed: boolean;
  readonly layers: readonly PushedLayer[];
  readonly model?: DeliveredModel;
  readonly base?: { readonly name: string; readonly digest: string };
  /** Those that this run has pushed. */
  readonly documents: readonly PublishedDocument[];
  readonly bytesUploaded: number;
  readonly bytesReused: number;
}

/** Marks the image that was made last in a repository, whatever its other tags are. */
export const lastBuildTag = 'model-delivery-last-build';

function isSame(
  last: StoredManifest | undefined,
  image: AssembledImage,
): last is StoredManifest & { readonly kind: 'image' } {
  return last?.kind === 'image' && last.manifest.annotations?.[annotations.inputs] === image.inputs;
}

/** Config and manifest, by digest: nothing has a name yet. */
async function pushDocuments(request: BuildRequest, image: AssembledImage): Promise<void> {
  const { client, repository } = request;
  await client.pushBlob(repository, image.documents.config);
  await client.putManifest(repository, image.documents.digest, image.documents.manifest);
}

async function putTags(
  request: BuildRequest,
  document: { readonly mediaType: string; readonly content: string },
): Promise<void> {
  for (const tag of request.tags) await request.client.putManifest(request.repository, tag, document);
}

async function markLast(request: BuildRequest, image: AssembledImage): Promise<void> {
  try {
    await request.client.putManifest(request.repository, lastBuildTag, image.documents.manifest);
  } catch (error) {
    // A registry whose tags are immutable: the image is complete, only the next run cannot recognise it.
    const reason = error instanceof Error ? error.message : String(error);
    request.warn(
      `Tag '${lastBuildTag}' could not be moved, so an unchanged build will be pushed anew: ${reason}`,
    );
  }
}

/** Only an image that has passed is marked as the last one, so its annotation proves the test. */
async function testLast(
  { test }: BuildRequest,
  last: StoredManifest & { readonly kind: 'image' },
  model: DeliveredModel | undefined,
): Promise<void> {
  if (test === undefined || last.manifest.annotations?.[annotations.test] === test.key) return;
  await test.run(last.digest, model);
}

/** Tells about the image in documents of the registry, where they are wanted. */
async function document(
  request: BuildRequest,
  made: { readonly descriptor: Descriptor; readonly created: string; readonly isNew: boolean },
  about: Pick<BuiltImage, 'model' | 'base'>,
  image: AssembledImage,
): Promise<readonly PublishedDocument[]> {
  const { client, repository, documents: wanted } = request;
  if (wanted === undefined) return [];
  const { descriptor, created, isNew } = made;
  const packages = image.layers.flatMap((layer) => layer.packages ?? []);
  const subject = { ...about, descriptor, created, packages, name: `${client.host}/${repository}` };
  return publishDocuments({ client, repository, wanted, isNew }, subject);
}

function sumOf(layers: readonly PushedLayer[], wanted: (how: PushedLayer['how']) => boolean): number {
  return layers.filter((one) => wanted(one.how)).reduce((sum, one) => sum + one.layer.size, 0);
}

/**
 * Makes the image and puts it into the registry: layers first, then the documents, then the tags, so that a tag
 * never names half an image, nor one that has failed its test. Where the last build had the same inputs, its image
 * is tagged again instead.
 */
export async function buildImage(request: BuildRequest): Promise<BuiltImage> {
  const { client, repository, builder, deliverModel } = request;
  const [last, application, model] = await Promise.all([
    client.findManifest(repository, lastBuildTag),
    builder.build(),
    deliverModel?.(),
  ]);
  const { settings, runLabels, test } = request;
  const created = request.created.toISOString();
  const delivered = model === undefined ? {} : { model };
  const tested = test === undefined ? {} : { test: test.key };
  const image = assembleImage({ application, ...delivered, settings, runLabels, created, ...tested });
  const about = { ...delivered, ...(application.base === undefined ? {} : { base: application.base }) };

  if (isSame(last, image)) {
    await testLast(request, last, model);
    const { mediaType, digest, size, manifest } = last;
    const made = manifest.annotations?.[annotations.created] ?? created;
    const descriptor = { mediaType, digest, size };
    const documents = await document(request, { descriptor, created: made, isNew: false }, about, image);
    await putTags(request, last);
    const layers = image.layers.map((layer) => ({ layer, how: 'reused' as const, seconds: 0 }));
    const bytesReused = sumOf(layers, () => true);
    return { ...about, digest, changed: false, layers, documents, bytesUploaded: 0, bytesReused };
  }
  const layers = await pushLayers(request, image.layers);
  await pushDocuments(request, image);
  const { digest, manifest } = image.documents;
  await test?.run(digest, model);
  const descriptor = { mediaType: manifest.mediaType, digest, size: Buffer.byteLength(manifest.content) };
  const documents = await document(request, { descriptor, created, isNew: true }, about, image);
  await putTags(request, manifest);
  await markLast(request, image);
  return {
    ...about,
    digest,
    changed: true,
    layers,
    documents,
    bytesUploaded: sumOf(layers, (how) => how === 'uploaded') + image.documents.config.size,
    bytesReused: sumOf(layers, (how) => how !== 'uploaded'),
  };
}
