import { annotations } from '../oci/annotations.ts';
import type { RegistryClient } from '../oci/client.ts';
import type { StoredManifest } from '../oci/documents.ts';
import { mapParallel } from '../parallel.ts';
import { type AssembledImage, assembleImage } from './assemble.ts';
import type { ImageBuilder } from './builder.ts';
import type { Layer } from './layers/layer.ts';
import type { DeliveredModel } from './model/deliver.ts';
import { joinPlatforms, type WholeImage } from './platforms.ts';
import { type PushedLayer, pushLayers } from './push.ts';
import type { PublishedDocument, WantedDocuments } from './referrers/publish.ts';
import type { ImageSettings } from './settings.ts';
import { annotationsOf, type BuiltPlatform, describeImage, standingOf } from './standing.ts';

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
  /** One a platform, in the order of the index. */
  readonly builders: readonly ImageBuilder[];
  /** Runs beside the builders. */
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
  /** Of the index where there are several platforms. */
  readonly digest: string;
  /** False when the newest image of the same inputs was there and only tags were put on it. */
  readonly changed: boolean;
  /** Each layer once. */
  readonly layers: readonly PushedLayer[];
  readonly model?: DeliveredModel;
  readonly platforms: readonly BuiltPlatform[];
  /** Those that this run has pushed. */
  readonly documents: readonly PublishedDocument[];
  readonly bytesUploaded: number;
  readonly bytesReused: number;
}

/** Marks the image that was made last in a repository, whatever its other tags are. */
export const lastBuildTag = 'model-delivery-last-build';
const builtAtOnce = 2;

/** Configurations and manifests, by digest, and the index last: nothing has a name yet. */
async function pushManifests({ client, repository }: BuildRequest, whole: WholeImage): Promise<void> {
  for (const { documents } of whole.images) {
    await client.pushBlob(repository, documents.config);
    await client.putManifest(repository, documents.digest, documents.manifest);
  }
  if (whole.images.length > 1) await client.putManifest(repository, whole.descriptor.digest, whole.document);
}

async function putTags(
  request: BuildRequest,
  document: { readonly mediaType: string; readonly content: string },
): Promise<void> {
  for (const tag of request.tags) await request.client.putManifest(request.repository, tag, document);
}

async function markLast(request: BuildRequest, whole: WholeImage): Promise<void> {
  try {
    await request.client.putManifest(request.repository, lastBuildTag, whole.document);
  } catch (error) {
    // A registry whose tags are immutable: the image is complete, only the next run cannot recognise it.
    const reason = error instanceof Error ? error.message : String(error);
    request.warn(
      `Tag '${lastBuildTag}' could not be moved, so an unchanged build will be pushed anew: ${reason}`,
    );
  }
}

function sumOf(layers: readonly PushedLayer[], wanted: (how: PushedLayer['how']) => boolean): number {
  return layers.filter((one) => wanted(one.how)).reduce((sum, one) => sum + one.layer.size, 0);
}

function eachOnce(images: readonly AssembledImage[]): readonly Layer[] {
  const layers = images.flatMap((image) => image.layers);
  return [...new Map(layers.map((layer) => [layer.digest, layer])).values()];
}

/** Only an image that has passed is marked as the last one, so its annotation proves the test. */
async function tagAgain(
  request: BuildRequest,
  last: StoredManifest,
  whole: WholeImage,
  model: DeliveredModel | undefined,
): Promise<BuiltImage> {
  const { test } = request;
  if (test !== undefined && annotationsOf(last)[annotations.test] !== test.key) {
    await test.run(last.digest, model);
  }
  const about = model === undefined ? {} : { model };
  const standing = standingOf(whole, request.created.toISOString(), last);
  const documents = await describeImage({ ...request, ...about }, standing, whole);
  await putTags(request, last);
  const layers = eachOnce(whole.images).map((layer) => ({ layer, how: 'reused' as const, seconds: 0 }));
  return {
    ...about,
    ...{ digest: last.digest, changed: false, layers, documents, platforms: standing.platforms },
    bytesUploaded: 0,
    bytesReused: sumOf(layers, () => true),
  };
}

async function pushAnew(
  request: BuildRequest,
  whole: WholeImage,
  model: DeliveredModel | undefined,
): Promise<BuiltImage> {
  const layers = await pushLayers(request, eachOnce(whole.images));
  await pushManifests(request, whole);
  const { digest } = whole.descriptor;
  await request.test?.run(digest, model);
  const about = model === undefined ? {} : { model };
  const standing = standingOf(whole, request.created.toISOString());
  const documents = await describeImage({ ...request, ...about }, standing, whole);
  await putTags(request, whole.document);
  await markLast(request, whole);
  const configs = whole.images.reduce((sum, image) => sum + image.documents.config.size, 0);
  return {
    ...about,
    ...{ digest, changed: true, layers, documents, platforms: standing.platforms },
    bytesUploaded: sumOf(layers, (how) => how === 'uploaded') + configs,
    bytesReused: sumOf(layers, (how) => how !== 'uploaded'),
  };
}

/**
 * Makes the image and puts it into the registry: layers first, then the documents, then the tags, so that a tag
 * never names half an image, nor one that has failed its test. Where the last build had the same inputs, its image
 * is tagged again instead.
 */
export async function buildImage(request: BuildRequest): Promise<BuiltImage> {
  const { client, repository, builders, deliverModel, settings, runLabels, test } = request;
  const [last, applications, model] = await Promise.all([
    client.findManifest(repository, lastBuildTag),
    mapParallel(builders, builtAtOnce, (builder) => builder.build()),
    deliverModel?.(),
  ]);
  const about = {
    ...{ runLabels, created: request.created.toISOString() },
    ...(model === undefined ? {} : { model }),
    ...(test === undefined ? {} : { test: test.key }),
  };
  const images = applications.map((application) => assembleImage({ ...about, application, settings }));
  const whole = joinPlatforms(images, about);
  const isSame = last !== undefined && annotationsOf(last)[annotations.inputs] === whole.inputs;
  return isSame ? tagAgain(request, last, whole, model) : pushAnew(request, whole, model);
}
