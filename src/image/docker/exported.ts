import { createHash } from 'node:crypto';
import { createReadStream, createWriteStream } from 'node:fs';
import { join, posix } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { extract } from 'tar-stream';
import { DeliveryError } from '../../errors.ts';
import { parseConfig } from '../../oci/documents.ts';
import { type ContainerConfig, type ImageConfig, mediaTypes } from '../../oci/types.ts';
import type { Layer } from '../layers/layer.ts';

/** An image that an engine gave out, its layers as files. */
export interface ExportedImage {
  readonly config: ImageConfig;
  /** In the image's order. */
  readonly layers: readonly Layer[];
}

interface SavedFile {
  readonly file: string;
  readonly digest: string;
  readonly size: number;
  readonly mediaType: string;
}

interface SavedArchive {
  /** Small files by path: manifest and configurations. */
  readonly documents: Map<string, Buffer>;
  readonly files: Map<string, SavedFile>;
  readonly links: Map<string, string>;
}

/** Documents are far smaller, layers rarely so small; a small layer is kept as both. */
const largestDocument = 1024 * 1024;

function mediaTypeOf(start: Buffer): string {
  if (start.readUInt16BE(0) === 0x1f8b) return mediaTypes.layerGzip;
  return start.readUInt32BE(0) === 0x28b52ffd ? mediaTypes.layerZstd : mediaTypes.layer;
}

async function saveEntry(
  content: AsyncIterable<Uint8Array>,
  file: string,
): Promise<SavedFile & { start: Buffer }> {
  const hash = createHash('sha256');
  const kept: Uint8Array[] = [];
  let size = 0;
  async function* hashed(): AsyncGenerator<Uint8Array> {
    for await (const part of content) {
      hash.update(part);
      if (size < largestDocument) kept.push(part);
      size += part.byteLength;
      yield part;
    }
  }
  await pipeline(Readable.from(hashed()), createWriteStream(file));
  const start = Buffer.concat(kept);
  const mediaType = mediaTypeOf(start.byteLength < 4 ? Buffer.alloc(4) : start);
  return { file, digest: `sha256:${hash.digest('hex')}`, size, mediaType, start };
}

async function readArchive(
  archive: AsyncIterable<Uint8Array>,
  folder: string,
  signal: AbortSignal,
): Promise<SavedArchive> {
  const saved: SavedArchive = { documents: new Map(), files: new Map(), links: new Map() };
  const entries = extract();
  const reading = pipeline(Readable.from(archive), entries, { signal });
  for await (const entry of entries) {
    const { name, type, linkname } = entry.header;
    if (type === 'symlink' && linkname) saved.links.set(name, posix.join(posix.dirname(name), linkname));
    if (type === 'file') {
      const { start, ...file } = await saveEntry(
        entry as unknown as AsyncIterable<Uint8Array>,
        join(folder, `saved-${saved.files.size}`),
      );
      saved.files.set(name, file);
      if (file.size <= largestDocument) saved.documents.set(name, start);
    } else entry.resume();
  }
  await reading;
  return saved;
}

function unusable(problem: string): DeliveryError {
  return new DeliveryError({
    code: 'ENGINE_EXPORT_INVALID',
    side: 'engine',
    message: `The engine gave out an image that cannot be read: ${problem}.`,
    remedy: "Update the engine (Docker 20.10 or newer), or use 'engine: registry'.",
  });
}

/** The instruction that made a layer, by its place in the image. */
export function stepOf(config: ImageConfig, index: number): Pick<Layer, 'title' | 'createdBy'> {
  const steps = (config.history ?? []).filter((entry) => entry.empty_layer !== true);
  const createdBy = steps[index]?.created_by ?? '';
  return { title: createdBy.replace(/^\/bin\/sh -c (#\(nop\)\s*)?/, '').slice(0, 80), createdBy };
}

function layersOf(saved: SavedArchive, paths: readonly string[], config: ImageConfig): readonly Layer[] {
  return paths.map((path, index) => {
    const file = saved.files.get(path) ?? saved.files.get(saved.links.get(path) ?? '');
    const diffId = config.rootfs.diff_ids[index];
    if (file === undefined || diffId === undefined) throw unusable(`it lacks layer ${path}`);
    const { digest, size, mediaType } = file;
    return {
      kind: 'application',
      ...stepOf(config, index),
      ...{ mediaType, digest, size, diffId },
      source: { from: 'bytes', open: (offset) => createReadStream(file.file, { start: offset }) },
    };
  });
}

const containerFields = new Set(
  [
    'User',
    'ExposedPorts',
    'Env',
    'Entrypoint',
    'Cmd',
    'Volumes',
    'WorkingDir',
    'Labels',
    'StopSignal',
  ].concat(
    // Docker's own, which its engines and containerd's honour.
    ['Healthcheck', 'Shell', 'OnBuild', 'ArgsEscaped'],
  ),
);

/** Without what an engine notes about the build itself (container, host name, parent): that differs each time. */
export function lasting(config: ImageConfig): ImageConfig {
  const { os, architecture, variant, rootfs, history = [] } = config;
  const container = Object.entries(config.config ?? {}).filter(([name]) => containerFields.has(name));
  return {
    ...{ os, architecture, rootfs, history },
    ...(variant === undefined ? {} : { variant }),
    config: Object.fromEntries(container) as ContainerConfig,
  };
}

interface SavedImage {
  readonly config: string;
  readonly layers: readonly string[];
}

interface OciDescriptor {
  readonly mediaType?: string;
  readonly digest: string;
  readonly annotations?: Readonly<Record<string, string>>;
}

function documentOf<T>(saved: SavedArchive, path: string): T | undefined {
  const content = saved.documents.get(path);
  return content === undefined ? undefined : (JSON.parse(content.toString('utf8')) as T);
}

function blobPath(digest: string): string {
  return `blobs/${digest.replace(':', '/')}`;
}

/** manifest.json of `docker save`. */
function dockerImage(saved: SavedArchive): SavedImage | undefined {
  const manifests = documentOf<readonly { readonly Config: string; readonly Layers: readonly string[] }[]>(
    saved,
    'manifest.json',
  );
  const image = manifests?.[0];
  return image && { config: image.Config, layers: image.Layers };
}

/** The first image of an OCI layout, nested indexes followed; documents about an image are passed over. */
function ociImage(saved: SavedArchive, path = 'index.json', depth = 0): SavedImage | undefined {
  const document = documentOf<{
    readonly manifests?: readonly OciDescriptor[];
    readonly config?: OciDescriptor;
    readonly layers?: readonly OciDescriptor[];
  }>(saved, path);
  if (document?.config !== undefined) {
    const layers = (document.layers ?? []).map((layer) => blobPath(layer.digest));
    return { config: blobPath(document.config.digest), layers };
  }
  const images = (document?.manifests ?? []).filter(
    (one) => one.annotations?.['vnd.docker.reference.type'] === undefined,
  );
  const [first] = images;
  return first === undefined || depth > 2 ? undefined : ociImage(saved, blobPath(first.digest), depth + 1);
}

/**
 * Unpacks what an engine exports: the form of Docker 20.10 (`<id>/layer.tar`) and the OCI layout of newer ones, which
 * both have manifest.json, and the plain OCI layout of BuildKit. https://docs.docker.com/reference/api/engine/
 * https://github.com/opencontainers/image-spec/blob/v1.1.1/image-layout.md
 */
export async function readExport(
  archive: AsyncIterable<Uint8Array>,
  folder: string,
  signal: AbortSignal,
): Promise<ExportedImage> {
  const saved = await readArchive(archive, folder, signal);
  const image = dockerImage(saved) ?? ociImage(saved);
  const content = image === undefined ? undefined : saved.documents.get(image.config);
  if (image === undefined || content === undefined) throw unusable('it has no manifest or no configuration');
  const config = lasting(parseConfig(content, 'the built image'));
  return { config, layers: layersOf(saved, image.layers, config) };
}
