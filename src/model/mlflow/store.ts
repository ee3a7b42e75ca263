import { createHttpClient } from '../http/client.ts';
import { directRead, readFile } from '../http/pinned.ts';
import { childrenOf, compareNames } from '../names.ts';
import type { ModelServer } from '../server.ts';
import {
  type ModelStore,
  modelChanged,
  type PinnedFile,
  type ReadOptions,
  type StoredFile,
  textPart,
} from '../store.ts';
import { mlflowAdvice } from './advice.ts';
import type { Tracking } from './api.ts';
import { type Artifact, artifactFolder, artifactsBelow, artifactUrl } from './artifacts.ts';
import { type Placed, pinnedFiles, recognises } from './pinning.ts';
import { modelNames, type RegisteredVersion, registeredModel, versionsOf } from './registry.ts';

/** A model registry of MLflow. */
export interface MlflowLocation extends ModelServer {
  /** The tag whose value is a version's name; without it the name is the version's number. */
  readonly versionTag?: string;
}

interface Registry extends Tracking {
  readonly location: MlflowLocation;
  /** Where versions have their files, by model and number. */
  readonly folders: Map<string, Promise<string | undefined>>;
  /** Whether the server's ETags last, once it was asked. */
  byEtag?: Promise<boolean>;
}

/** Begins the identity of an alias; the version that it names follows. */
const aliasMark = 'alias:';

function folderOf(
  registry: Registry,
  model: string,
  number: string,
  signal: AbortSignal,
): Promise<string | undefined> {
  const key = `${model}/${number}`;
  const known = registry.folders.get(key) ?? artifactFolder(registry, model, number, signal);
  registry.folders.set(key, known);
  known.catch(() => registry.folders.delete(key));
  return known;
}

/** An alias as a file that names the version: what the policy `pointer` reads. */
function aliasFile(model: string, alias: string, label: string): StoredFile {
  const size = Buffer.byteLength(label);
  return { name: `${model}/${alias}`, size, etag: `${aliasMark}${label}`, lastModified: new Date(0) };
}

async function* aliasFiles(registry: Registry, model: string, prefix: string, signal: AbortSignal) {
  const { versionTag } = registry.location;
  const { pointers } = await registeredModel(registry, model, versionTag, signal);
  const files = [...pointers].map(([alias, label]) => aliasFile(model, alias, label));
  yield* files.filter(({ name }) => name.startsWith(prefix)).sort((a, b) => compareNames(a.name, b.name));
}

/** The smallest file that has content: what the server's ETags are tried with. */
function smallest(files: readonly Placed[]): Placed | undefined {
  const sized = files.filter(({ size }) => size !== undefined && size > 0);
  return sized.sort((a, b) => (a.size ?? 0) - (b.size ?? 0))[0];
}

async function* versionFiles(
  registry: Registry,
  model: string,
  version: RegisteredVersion,
  prefix: string,
  signal: AbortSignal,
): AsyncGenerator<StoredFile> {
  const folder = await folderOf(registry, model, version.number, signal);
  if (folder === undefined) return;
  const place = ({ path, size }: Artifact): Placed => {
    const name = `${model}/${version.label}/${path}`;
    return { name, size, url: artifactUrl(registry, `${folder}/${path}`) };
  };
  const all = (await artifactsBelow(registry, folder, signal)).map(place);
  const files = all
    .filter(({ name }) => name.startsWith(prefix))
    .sort((a, b) => compareNames(a.name, b.name));
  const tried = smallest(files);
  if (tried !== undefined) registry.byEtag ??= recognises(registry.client, tried, signal);
  const byEtag = (await registry.byEtag) ?? true;
  yield* pinnedFiles(registry.client, files, version, byEtag, signal);
}

async function* modelFiles(
  registry: Registry,
  model: string,
  prefix: string,
  signal: AbortSignal,
): AsyncGenerator<StoredFile> {
  const rest = prefix.slice(model.length + 1);
  const versions = await versionsOf(registry, model, registry.location.versionTag, signal);
  for (const version of versions) {
    const root = `${version.label}/`;
    if (root.startsWith(rest) || rest.startsWith(root))
      yield* versionFiles(registry, model, version, prefix, signal);
  }
  // A listing of the whole model is about its versions; aliases are given to those who ask for one.
  if (rest !== '' && !rest.includes('/')) yield* aliasFiles(registry, model, prefix, signal);
}

async function* listFiles(
  registry: Registry,
  prefix: string,
  signal: AbortSignal,
): AsyncGenerator<StoredFile> {
  signal.throwIfAborted();
  const slash = prefix.indexOf('/');
  if (slash >= 0) return yield* modelFiles(registry, prefix.slice(0, slash), prefix, signal);
  for (const model of await modelNames(registry, signal)) {
    if (model.startsWith(prefix)) yield* modelFiles(registry, model, `${model}/`, signal);
  }
}

async function listChildren(registry: Registry, prefix: string, signal: AbortSignal): Promise<string[]> {
  signal.throwIfAborted();
  const slash = prefix.indexOf('/');
  const { versionTag } = registry.location;
  if (slash < 0) {
    const names = await modelNames(registry, signal);
    return childrenOf(
      names.map((name) => `${name}/`),
      prefix,
    );
  }
  const model = prefix.slice(0, slash);
  if (slash === prefix.length - 1) {
    const { versions, pointers } = await registeredModel(registry, model, versionTag, signal);
    return [...versions.map(({ label }) => `${label}/`), ...pointers.keys()].sort(compareNames);
  }
  const names: string[] = [];
  for await (const file of listFiles(registry, prefix, signal)) names.push(file.name);
  return childrenOf(names, prefix);
}

/** Where a listed file is; undefined when its version is gone. */
async function urlOf(registry: Registry, file: PinnedFile, signal: AbortSignal): Promise<URL | undefined> {
  const [model = '', , ...path] = file.name.split('/');
  const folder = await folderOf(registry, model, file.versionId ?? '', signal);
  return folder === undefined ? undefined : artifactUrl(registry, `${folder}/${path.join('/')}`);
}

async function readPinned(registry: Registry, file: PinnedFile, options: ReadOptions) {
  options.signal.throwIfAborted();
  if (file.etag.startsWith(aliasMark)) return textPart(file.etag.slice(aliasMark.length), options);
  const url = await urlOf(registry, file, options.signal);
  if (url === undefined) throw modelChanged(file, new Error('the registered version is gone'));
  return readFile(registry.client, url, file, options);
}

/**
 * Registered models of an MLflow server that hands out the artifacts itself: `<model>/<version>/<path>`, aliases as
 * files beside the versions. A lock's `versionId` is the version's number, whatever its name is.
 */
export function openMlflowStore(location: MlflowLocation): ModelStore {
  const { url, authorization } = location;
  const client = createHttpClient({
    home: url,
    advice: mlflowAdvice(location),
    ...(authorization !== undefined && { authorization }),
  });
  const registry: Registry = { server: location, location, client, folders: new Map() };
  return {
    source: { type: 'mlflow', url },
    list: (prefix, signal) => listFiles(registry, prefix, signal),
    children: (prefix, signal) => listChildren(registry, prefix, signal),
    read: (file, options) => readPinned(registry, file, options),
    async direct(file, part) {
      if (file.etag.startsWith(aliasMark)) return undefined;
      const address = await urlOf(registry, file, part.signal);
      return address && directRead(client, address, file, part);
    },
  };
}
