import { DeliveryError } from '../../errors.ts';
import { type Access, createAccess } from '../../oci/access.ts';
import { annotations } from '../../oci/annotations.ts';
import { createRegistryClient, type RegistryClient } from '../../oci/client.ts';
import { type Manifest, mediaTypes } from '../../oci/types.ts';
import { childrenOf, compareNames } from '../names.ts';
import {
  type ModelStore,
  modelChanged,
  type PinnedFile,
  type ReadOptions,
  type StoredFile,
} from '../store.ts';
import { bodyOf } from '../storeFailure.ts';
import { BlobMissing, type BlobPart, type BlobRange, openBlob } from './blob.ts';
import { type ModelLayer, modelLayers, NotAModel } from './layers.ts';
import type { OciLocation } from './location.ts';
import { NotAnArchive, tarFiles } from './tar.ts';
import { blobWindow } from './window.ts';

interface Repository {
  readonly location: OciLocation;
  readonly client: RegistryClient;
  readonly access: Access;
}

/** A file of a version: path, and where its bytes are. */
type Content = Pick<StoredFile, 'size' | 'etag' | 'sha256'>;

const versionPattern = /^(\w[\w.-]{0,127}|sha256:[0-9a-f]{64})$/;

/** Tags in the order of the names that they begin. */
async function versionsOf({ location, client }: Repository): Promise<readonly string[]> {
  if (location.version !== undefined) return [location.version];
  const tags = await client.listTags(location.repository);
  return [...tags].sort((a, b) => compareNames(`${a}/`, `${b}/`));
}

/** The version's manifest; of an index the first image, since a model is the same for every platform. */
async function manifestOf({ location, client }: Repository, version: string): Promise<Manifest | undefined> {
  if (!versionPattern.test(version)) return undefined;
  const found = await client.findManifest(location.repository, version);
  if (found?.kind !== 'index') return found?.manifest;
  const [image] = found.index.manifests.filter((entry) => entry.platform?.os !== 'unknown');
  if (image === undefined) return undefined;
  const stored = await client.manifest(location.repository, image.digest);
  return stored.kind === 'image' ? stored.manifest : undefined;
}

async function createdAt({ location, client }: Repository, manifest: Manifest): Promise<Date> {
  const isImage = manifest.config.mediaType === mediaTypes.config;
  const noted = manifest.annotations?.[annotations.created];
  const text = noted ?? (isImage ? (await client.config(location.repository, manifest)).created : undefined);
  const time = Date.parse(text ?? '');
  return new Date(Number.isNaN(time) ? 0 : time);
}

async function* filesOf(
  { location, access }: Repository,
  layer: ModelLayer,
  signal: AbortSignal,
): AsyncGenerator<readonly [string, Content]> {
  const { digest, size } = layer;
  if (layer.holds === 'file') {
    yield [layer.path, { size, etag: digest, sha256: digest.replace(/^sha256:/, '') }];
    return;
  }
  const { repository } = location;
  const open = async (range: BlobRange): Promise<BlobPart> => {
    const part = await openBlob(access, { repository, digest, range }, { signal, attempts: 4 });
    const whole = { skip: 0, take: Number.POSITIVE_INFINITY };
    return { ...part, body: bodyOf(part.body, whole, { name: repository }, signal) };
  };
  const window = blobWindow(open, size);
  try {
    for await (const file of tarFiles(window, size)) {
      if (!file.path.startsWith(layer.root)) continue;
      yield [file.path.slice(layer.root.length), { size: file.size, etag: `${digest}@${file.offset}` }];
    }
  } finally {
    await window.close();
  }
}

function unsupported(repository: Repository, version: string, cause: Error): DeliveryError {
  const { repository: name } = repository.location;
  return new DeliveryError({
    code: 'MODEL_IMAGE_UNSUPPORTED',
    side: 'storage',
    message: `Version '${version}' of ${name} is not a model that can be read from the registry: ${cause.message}.`,
    remedy:
      "Publish the model by BuildModelImage, or as an artifact with one uncompressed layer a file ('oras push' of files, 'modctl build --raw').",
  });
}

/** All files of one version, ascending; none when there is no such version. */
async function contentsOf(
  repository: Repository,
  version: string,
  signal: AbortSignal,
): Promise<StoredFile[]> {
  signal.throwIfAborted();
  const manifest = await manifestOf(repository, version);
  if (manifest === undefined) return [];
  const lastModified = await createdAt(repository, manifest);
  const contents = new Map<string, Content>();
  for (const layer of modelLayers(manifest)) {
    // A later layer replaces what an earlier one holds.
    for await (const [path, content] of filesOf(repository, layer, signal)) contents.set(path, content);
  }
  return [...contents]
    .sort(([a], [b]) => compareNames(a, b))
    .map(([path, content]) => ({
      name: `${repository.location.model}/${version}/${path}`,
      lastModified,
      ...content,
    }));
}

async function* listFiles(
  repository: Repository,
  prefix: string,
  signal: AbortSignal,
): AsyncGenerator<StoredFile> {
  signal.throwIfAborted();
  const root = `${repository.location.model}/`;
  if (!root.startsWith(prefix) && !prefix.startsWith(root)) return;
  const rest = prefix.slice(root.length);
  const asked = rest.includes('/') ? rest.slice(0, rest.indexOf('/')) : undefined;
  const versions = asked === undefined ? await versionsOf(repository) : [asked];
  for (const version of versions.filter((one) => asked !== undefined || one.startsWith(rest))) {
    try {
      const files = await contentsOf(repository, version, signal);
      yield* files.filter((file) => file.name.startsWith(prefix));
    } catch (error) {
      if (!(error instanceof NotAModel || error instanceof NotAnArchive)) throw error;
      // A repository may hold other images too; only the one that was asked for must be a model.
      if (asked !== undefined) throw unsupported(repository, version, error);
    }
  }
}

async function listChildren(repository: Repository, prefix: string, signal: AbortSignal): Promise<string[]> {
  signal.throwIfAborted();
  const root = `${repository.location.model}/`;
  if (prefix === root) return (await versionsOf(repository)).map((version) => `${version}/`);
  if (root.startsWith(prefix)) return childrenOf([root], prefix);
  const names: string[] = [];
  for await (const file of listFiles(repository, prefix, signal)) names.push(file.name);
  return childrenOf(names, prefix);
}

async function* nothing(): AsyncGenerator<Uint8Array> {}

async function readFile({ location, access }: Repository, file: PinnedFile, options: ReadOptions) {
  const { signal, offset = 0 } = options;
  const [digest = '', start = '0'] = file.etag.split('@');
  const take = Math.min(options.length ?? file.size, file.size - offset);
  const first = Number(start) + offset;
  signal.throwIfAborted();
  // No bytes: nothing to ask for, and a range cannot say it.
  if (take === 0) return nothing();
  const range = { offset: first, length: take };
  try {
    const { ranged, body } = await openBlob(
      access,
      { repository: location.repository, digest, range },
      { signal },
    );
    return bodyOf(body, { skip: ranged ? 0 : first, take }, file, signal);
  } catch (error) {
    throw error instanceof BlobMissing ? modelChanged(file, error) : error;
  }
}

/**
 * Models in a registry: a repository is a model, its tags are the versions, `<model>/<tag>/<path>` the names.
 * Bytes are pinned by their blob's digest, so a tag that moves later does not matter.
 */
export function openOciStore(
  location: OciLocation,
  options: { readonly signal: AbortSignal; readonly userAgent?: string },
): ModelStore {
  const { registryUrl, credentials, fetchToken, secret } = location;
  const signIn = {
    ...{ ...(credentials && { credentials }), ...(fetchToken && { fetchToken }) },
    ...(secret && { secret }),
  };
  const registry = { registryUrl, ...signIn, ...options };
  const repository: Repository = {
    location,
    client: createRegistryClient(registry),
    access: createAccess(registry),
  };
  return {
    source: { type: 'oci', url: `${new URL(registryUrl).origin}/${location.repository}` },
    list: (prefix, signal) => listFiles(repository, prefix, signal),
    children: (prefix, signal) => listChildren(repository, prefix, signal),
    read: (file, readOptions) => readFile(repository, file, readOptions),
  };
}
