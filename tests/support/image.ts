import { Readable } from 'node:stream';
import { createGunzip } from 'node:zlib';
import tar from 'tar-stream';
import { type BaseImage, ensureBaseImage } from '../../local/baseimage/index.ts';
import { createContext } from '../../local/lib/context.ts';
import type { RegistryEndpoint } from '../../local/lib/endpoints.ts';
import type { ServiceConnection } from '../../src/host/host.ts';
import { createRegistryClient, type RegistryClient } from '../../src/oci/client.ts';
import type { RegistryImage } from '../../src/oci/images.ts';
import { buildModelImage } from '../../tasks/BuildModelImage/run.ts';
import { registryConnection } from './deployment.ts';
import { type Recorded, recordingHost } from './host.ts';

/** Where a build runs and what the agent tells it. */
export interface BuildSettings {
  readonly registry: RegistryEndpoint;
  readonly folder: string;
  readonly inputs: Readonly<Record<string, string>>;
  readonly variables?: Readonly<Record<string, string>>;
  /** Service connections besides that of the registry. */
  readonly connections?: readonly ServiceConnection[];
  readonly signal?: AbortSignal;
  /** What programs that the task starts run with; this process's environment when absent. */
  readonly environment?: NodeJS.ProcessEnv;
}

/** Runs BuildModelImage in this process; what it said is there also when it fails. */
export function buildWith(settings: BuildSettings): {
  readonly said: Recorded;
  readonly done: Promise<void>;
} {
  const connection = registryConnection(settings.registry);
  const { host, said } = recordingHost({
    workingFolder: settings.folder,
    inputs: { containerRegistry: connection.id, tags: 'test', ...settings.inputs },
    connections: [connection, ...(settings.connections ?? [])],
    ...(settings.variables === undefined ? {} : { variables: settings.variables }),
    ...(settings.signal === undefined ? {} : { signal: settings.signal }),
    ...(settings.environment === undefined ? {} : { environment: settings.environment }),
  });
  return { said, done: buildModelImage(host) };
}

/** Runs BuildModelImage in this process; everything it said is kept. */
export async function runBuild(settings: BuildSettings): Promise<Recorded> {
  const { said, done } = buildWith(settings);
  await done;
  return said;
}

/** The base image of the local registry. */
export async function baseImage(registry: RegistryEndpoint): Promise<BaseImage> {
  return await ensureBaseImage(await createContext(() => undefined), registry);
}

/** A file, folder or link as it stands in the image. */
export interface UnpackedEntry {
  readonly type: string;
  readonly mode: number;
  readonly mtime: number;
  readonly content: Buffer;
  readonly target?: string;
}

/** A pulled image: what a container runtime would see. */
export interface PulledImage extends RegistryImage {
  /** Later layers replace what earlier ones hold. */
  readonly files: ReadonlyMap<string, UnpackedEntry>;
}

async function unpack(
  client: RegistryClient,
  repository: string,
  layer: { readonly digest: string; readonly mediaType: string },
  files: Map<string, UnpackedEntry>,
): Promise<void> {
  const raw = Readable.from(client.readBlob(repository, layer.digest));
  const extract = tar.extract();
  (layer.mediaType.endsWith('gzip') ? raw.pipe(createGunzip()) : raw).pipe(extract);
  for await (const entry of extract) {
    const parts: Buffer[] = [];
    for await (const part of entry) parts.push(part as Buffer);
    const { name, type, mode, mtime, linkname } = entry.header;
    files.set(name.replace(/\/$/, ''), {
      type: type ?? '',
      mode: mode ?? 0,
      mtime: mtime?.getTime() ?? -1,
      content: Buffer.concat(parts),
      ...(linkname ? { target: linkname } : {}),
    });
  }
}

/** Pulls an image by tag or digest; of its layers, those above the first `skip` are unpacked. */
export async function pull(
  registry: RegistryEndpoint,
  repository: string,
  version: string,
  skip = 0,
): Promise<PulledImage> {
  const client = createRegistryClient({
    registryUrl: registry.url,
    credentials: registry,
    signal: new AbortController().signal,
    userAgent: 'model-delivery-tests',
  });
  const image = await client.image(repository, version, { os: 'linux', architecture: 'amd64' });
  const files = new Map<string, UnpackedEntry>();
  for (const layer of image.manifest.layers.slice(skip)) await unpack(client, repository, layer, files);
  return { ...image, files };
}
