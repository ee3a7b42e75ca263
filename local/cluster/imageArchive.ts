import { createHash } from 'node:crypto';
import { createWriteStream } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { pipeline } from 'node:stream/promises';
import { type Pack, pack } from 'tar-stream';

/** A container image of one static program and a few files. */
export interface StaticImage {
  /** Full name with tag, for example `localhost/pause:1`. */
  readonly reference: string;
  /** The program on this machine; it becomes `/program` and the entry point. */
  readonly program: string;
  readonly args?: readonly string[];
  /** Absolute path in the image → text. */
  readonly files?: Readonly<Record<string, string>>;
}

/** A blob of the image with its digest. */
export interface ImageBlob {
  readonly digest: string;
  readonly bytes: Buffer;
}

/** The parts of an image, as the OCI image specification v1.1 names them. */
export interface ImageParts {
  readonly manifest: ImageBlob;
  readonly config: ImageBlob;
  readonly layer: ImageBlob;
}

const manifestType = 'application/vnd.oci.image.manifest.v1+json';

function blob(bytes: Buffer): ImageBlob {
  return { digest: `sha256:${createHash('sha256').update(bytes).digest('hex')}`, bytes };
}

function jsonBlob(value: unknown): ImageBlob {
  return blob(Buffer.from(JSON.stringify(value)));
}

async function collect(archive: Pack): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of archive) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}

async function layerOf(image: StaticImage): Promise<ImageBlob> {
  const archive = pack();
  archive.entry({ name: 'program', mode: 0o755, mtime: new Date(0) }, await readFile(image.program));
  for (const [path, text] of Object.entries(image.files ?? {})) {
    archive.entry({ name: path.replace(/^\//, ''), mode: 0o644, mtime: new Date(0) }, text);
  }
  archive.finalize();
  return blob(await collect(archive));
}

function descriptor(mediaType: string, { digest, bytes }: ImageBlob) {
  return { mediaType, digest, size: bytes.length };
}

/** Makes manifest, config and layer of the image for this machine's architecture. */
export async function imageParts(image: StaticImage): Promise<ImageParts> {
  const layer = await layerOf(image);
  const config = jsonBlob({
    architecture: process.arch === 'x64' ? 'amd64' : process.arch,
    os: 'linux',
    config: { Entrypoint: ['/program'], Cmd: image.args ?? [] },
    rootfs: { type: 'layers', diff_ids: [layer.digest] },
  });
  const manifest = jsonBlob({
    schemaVersion: 2,
    mediaType: manifestType,
    config: descriptor('application/vnd.oci.image.config.v1+json', config),
    layers: [descriptor('application/vnd.oci.image.layer.v1.tar', layer)],
  });
  return { manifest, config, layer };
}

/** Writes the image as an OCI layout in a tar file, which `ctr images import` takes under the reference. */
export async function writeImageArchive(image: StaticImage, file: string): Promise<void> {
  const { manifest, config, layer } = await imageParts(image);
  const annotations = { 'io.containerd.image.name': image.reference };
  const index = {
    schemaVersion: 2,
    mediaType: 'application/vnd.oci.image.index.v1+json',
    manifests: [{ ...descriptor(manifestType, manifest), annotations }],
  };
  const archive = pack();
  archive.entry({ name: 'oci-layout' }, JSON.stringify({ imageLayoutVersion: '1.0.0' }));
  archive.entry({ name: 'index.json' }, JSON.stringify(index));
  for (const { digest, bytes } of [manifest, config, layer]) {
    archive.entry({ name: `blobs/${digest.replace(':', '/')}` }, bytes);
  }
  archive.finalize();
  await pipeline(archive, createWriteStream(file));
}
