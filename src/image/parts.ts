import { annotations } from '../oci/annotations.ts';
import type { RegistryClient } from '../oci/client.ts';
import type { Descriptor, Manifest, Platform } from '../oci/types.ts';
import { mapParallel } from '../parallel.ts';
import { imageDocuments } from './documents.ts';
import type { Layer, LayerKind } from './layers/layer.ts';

/** Layers that have an image of their own in the repository, so that a later run finds them by its tag. */
export interface Part {
  readonly layers: readonly Layer[];
  readonly annotations: Readonly<Record<string, string>>;
}

export interface PartName {
  readonly kind: Extract<LayerKind, 'model' | 'dependencies'>;
  /** `sha256:…` over all that decides the layers' bytes. */
  readonly key: string;
}

const prefixes = { model: 'model', dependencies: 'deps' } as const;
/** Helper images are older than every real one, so nothing takes them for the newest. */
const epoch = '1970-01-01T00:00:00Z';

const askedAtOnce = 6;

/** `model-0123456789ab`: the key's first 12 digits; the whole key stands in the manifest. */
export function partTag(name: PartName): string {
  return `${prefixes[name.kind]}-${name.key.replace(/^sha256:/, '').slice(0, 12)}`;
}

function layerOf(descriptor: Descriptor, diffId: string, kind: LayerKind): Layer {
  const title = descriptor.annotations?.[annotations.title] ?? '';
  return {
    kind,
    title,
    mediaType: descriptor.mediaType,
    digest: descriptor.digest,
    size: descriptor.size,
    diffId,
    createdBy: `${kind}: ${title}`,
    source: { from: 'target' },
  };
}

async function diffIdsOf(
  client: RegistryClient,
  repository: string,
  manifest: Manifest,
): Promise<readonly string[]> {
  const plain = manifest.layers.every((layer) => layer.mediaType.endsWith('.tar'));
  // An uncompressed layer is its own archive: the configuration need not be read.
  if (plain) return manifest.layers.map((layer) => layer.digest);
  return (await client.config(repository, manifest)).rootfs.diff_ids;
}

/** The part of this name; undefined when it is not there or a layer of it has been deleted. */
export async function findPart(
  client: RegistryClient,
  repository: string,
  name: PartName,
): Promise<Part | undefined> {
  const stored = await client.findManifest(repository, partTag(name));
  if (stored?.kind !== 'image' || stored.manifest.annotations?.[annotations.key] !== name.key)
    return undefined;
  const { manifest } = stored;
  const [diffIds, present] = await Promise.all([
    diffIdsOf(client, repository, manifest),
    mapParallel(manifest.layers, askedAtOnce, (layer) => client.hasBlob(repository, layer.digest)),
  ]);
  if (present.includes(false) || diffIds.length !== manifest.layers.length) return undefined;
  const layers = manifest.layers.map((layer, index) => layerOf(layer, diffIds[index] ?? '', name.kind));
  return { layers, annotations: manifest.annotations ?? {} };
}

/** Publishes pushed layers under these names; an ordinary image that a cluster can also mount. */
export async function putPart(
  client: RegistryClient,
  repository: string,
  names: readonly PartName[],
  part: Part & { readonly platform: Platform },
): Promise<void> {
  for (const name of names) {
    const config = {
      ...part.platform,
      created: epoch,
      config: {},
      rootfs: { type: 'layers' as const, diff_ids: part.layers.map((layer) => layer.diffId) },
      history: part.layers.map((layer) => ({ created: epoch, created_by: layer.createdBy })),
    };
    const notes = { ...part.annotations, [annotations.part]: name.kind, [annotations.key]: name.key };
    const documents = imageDocuments(config, part.layers, notes);
    await client.pushBlob(repository, documents.config);
    await client.putManifest(repository, partTag(name), documents.manifest);
  }
}
