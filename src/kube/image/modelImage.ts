import { DeliveryError } from '../../errors.ts';
import type { Host } from '../../host/host.ts';
import { compressions, defaultDestination, modelKey } from '../../image/model/deliver.ts';
import { partTag } from '../../image/parts.ts';
import { annotations } from '../../oci/annotations.ts';
import type { RegistryClient } from '../../oci/client.ts';
import type { StoredManifest } from '../../oci/documents.ts';
import { parseReference, registryUrlOf, wantedVersion } from '../../oci/reference.ts';
import { shortDigest } from '../../report/format.ts';
import type { ModelVolume } from '../manifests/modelVolume.ts';
import type { ModelIdentity } from '../objects/trace.ts';
import { clientFor, type ResolvedImage } from './resolveImage.ts';

/** A model's own image in the registry. */
export interface ModelImage extends ModelVolume {
  readonly model: ModelIdentity;
}

type Notes = Readonly<Record<string, string>>;

function notFound(message: string, remedy: string): DeliveryError {
  return new DeliveryError({ code: 'MODEL_IMAGE_NOT_FOUND', side: 'input', message, remedy });
}

function notesOf(stored: StoredManifest): Notes {
  return stored.kind === 'image' ? (stored.manifest.annotations ?? {}) : {};
}

function toModelImage(name: string, stored: StoredManifest): ModelImage {
  const notes = notesOf(stored);
  const path = notes[annotations.modelPath] ?? defaultDestination;
  if (notes[annotations.part] !== 'model') {
    throw notFound(
      `${name}@${stored.digest} is no model image.`,
      "Name an image that BuildModelImage tagged 'model-…'.",
    );
  }
  const [modelName, version, digest] = [
    notes[annotations.modelName],
    notes[annotations.modelVersion],
    notes[annotations.modelDigest],
  ];
  const model = {
    ...(modelName === undefined ? {} : { name: modelName }),
    ...(version === undefined ? {} : { version }),
    ...(digest === undefined ? {} : { digest }),
  };
  return { reference: `${name}@${stored.digest}`, path, model };
}

function clientOf(image: ResolvedImage, registry: string, host: Host): RegistryClient {
  const access = registry === image.host ? image.access : undefined;
  return clientFor(access ?? { registryUrl: registryUrlOf(registry) }, host);
}

async function named(reference: string, image: ResolvedImage, host: Host): Promise<ModelImage> {
  const wanted = parseReference(reference);
  const client = clientOf(image, wanted.registry, host);
  const stored = await client.manifest(wanted.repository, wantedVersion(wanted));
  return toModelImage(`${wanted.registry}/${wanted.repository}`, stored);
}

/** BuildModelImage's keys: another destination or compression than the usual one means another key. */
function keysOf(notes: Notes): string[] {
  const path = notes[annotations.modelPath] ?? defaultDestination;
  const identities = [notes[annotations.modelFingerprint], notes[annotations.modelDigest]];
  const known = identities.filter((identity) => identity !== undefined);
  return compressions.flatMap((compression) =>
    known.map((identity) => modelKey(identity, path, compression)),
  );
}

async function besideImage(image: ResolvedImage, host: Host): Promise<ModelImage> {
  const { registry, repository, digest = '' } = parseReference(image.reference);
  const client = clientOf(image, registry, host);
  const keys = keysOf(notesOf(await client.manifest(repository, digest)));
  for (const key of keys) {
    const stored = await client.findManifest(repository, partTag({ kind: 'model', key }));
    if (stored !== undefined && notesOf(stored)[annotations.key] === key)
      return toModelImage(`${registry}/${repository}`, stored);
  }
  const why =
    keys.length === 0
      ? 'its annotations name no model'
      : `repository '${repository}' no longer has the model image that its annotations name`;
  throw notFound(
    `The model image that belongs to ${image.reference} was not found: ${why}.`,
    "Build the image by BuildModelImage, name the model's image in 'modelImage', or use 'modelDelivery: baked'.",
  );
}

/**
 * The model's own image: the named one, else the one that BuildModelImage published beside the application's.
 * Throws MODEL_IMAGE_NOT_FOUND and what the registry client throws.
 */
export async function findModelImage(
  image: ResolvedImage,
  reference: string | undefined,
  host: Host,
): Promise<ModelImage> {
  const found = await (reference === undefined ? besideImage(image, host) : named(reference, image, host));
  const { name = 'the model', version } = found.model;
  const what = version === undefined ? name : `${name} ${version}`;
  host.log.info(
    `Model: ${what}, image ${shortDigest(found.reference.split('@')[1] ?? '')}, at ${found.path}`,
  );
  return found;
}
