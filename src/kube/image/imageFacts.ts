import type { RegistryClient } from '../../oci/client.ts';
import type { StoredManifest } from '../../oci/documents.ts';
import {
  type Descriptor,
  type ImageConfig,
  type Manifest,
  type Platform,
  platformOf,
} from '../../oci/types.ts';
import type { ModelIdentity } from '../objects/trace.ts';

/** What an image's own configuration tells about it. */
export interface ImageFacts {
  /** Digest of what the tag names: the index where there is one, so that each node takes its platform. */
  readonly digest: string;
  /** RFC 3339; absent in images that do not say when they were made. */
  readonly created?: string;
  readonly model: ModelIdentity;
  readonly commit?: string;
  /** Name or number of the user that the image runs as; absent where it says nothing, which means root. */
  readonly user?: string;
  /** What it is made for: a node must be one of these. */
  readonly platforms: readonly Platform[];
}

function environmentOf(config: ImageConfig): Record<string, string> {
  const pairs = (config.config?.Env ?? []).map((line): [string, string] => {
    const equals = line.indexOf('=');
    return [line.slice(0, equals), line.slice(equals + 1)];
  });
  return Object.fromEntries(pairs);
}

/** BuildModelImage names the model in the environment, which the application reads too, and in annotations. */
function modelOf(config: ImageConfig, manifest: Manifest): ModelIdentity {
  const environment = environmentOf(config);
  const told = { ...manifest.annotations, ...config.config?.Labels };
  const fact = (name: keyof ModelIdentity): Partial<ModelIdentity> => {
    const value = environment[`MODEL_${name.toUpperCase()}`] || told[`dev.model-delivery.model.${name}`];
    return value ? { [name]: value } : {};
  };
  return { ...fact('name'), ...fact('version'), ...fact('digest') };
}

/** The facts of an image whose top manifest is known; undefined for an artifact that is no image. */
export async function imageFacts(
  client: RegistryClient,
  repository: string,
  stored: StoredManifest,
): Promise<ImageFacts | undefined> {
  // Any platform serves: model, commit and time are the same in all of them.
  const first = stored.kind === 'index' ? stored.index.manifests.find(isRunnable)?.digest : undefined;
  if (stored.kind === 'index' && first === undefined) return undefined;
  const chosen = first === undefined ? stored : await client.findManifest(repository, first);
  if (chosen === undefined || chosen.kind === 'index') return undefined;
  if (!/image\.(config\.)?v1\+json$/.test(chosen.manifest.config.mediaType)) return undefined;
  const config = await client.config(repository, chosen.manifest);
  const commit = config.config?.Labels?.['org.opencontainers.image.revision'];
  const user = config.config?.User;
  return {
    digest: stored.digest,
    platforms: stored.kind === 'index' ? platformsOf(stored.index.manifests) : [platformOf(config)],
    ...(user ? { user } : {}),
    model: modelOf(config, chosen.manifest),
    ...(config.created === undefined ? {} : { created: config.created }),
    ...(commit === undefined ? {} : { commit }),
  };
}

function platformsOf(descriptors: readonly Descriptor[]): Platform[] {
  return descriptors.filter(isRunnable).flatMap(({ platform }) => (platform === undefined ? [] : [platform]));
}

/** Attestations stand in an index as images of an unknown platform. */
function isRunnable(descriptor: { readonly platform?: { readonly os: string } }): boolean {
  return descriptor.platform?.os !== 'unknown';
}
