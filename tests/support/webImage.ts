import { readFile } from 'node:fs/promises';
import { pack } from 'tar-stream';
import type { RegistryEndpoint } from '../../local/lib/endpoints.ts';
import { createRegistryClient, type RegistryClient } from '../../src/oci/client.ts';
import { digestOf } from '../../src/oci/documents.ts';
import type { BlobSource } from '../../src/oci/session.ts';
import { mediaTypes } from '../../src/oci/types.ts';
import { testProgram } from './programs.ts';
import { testContext } from './services.ts';

/** One version of the deployment tests' web application. */
export interface WebImage {
  readonly tag: string;
  readonly behaviour?: 'crash' | 'unready' | 'flapping' | 'broken' | 'slow';
  readonly modelVersion: string;
  /** RFC 3339. */
  readonly created: string;
  readonly annotations?: Readonly<Record<string, string>>;
  /** Without it that of this machine. */
  readonly architecture?: string;
}

function blobOf(content: Buffer): BlobSource {
  return {
    digest: digestOf(content),
    size: content.byteLength,
    async *open(offset) {
      for (let at = offset; at < content.byteLength; at += 1 << 20)
        yield content.subarray(at, at + (1 << 20));
    },
  };
}

async function layer(program: 'web' | 'gateway'): Promise<Buffer> {
  const binary = await readFile(await testProgram(await testContext(), program));
  const archive = pack();
  archive.entry({ name: program, mode: 0o755, mtime: new Date(0) }, binary);
  archive.finalize();
  const parts: Buffer[] = [];
  for await (const part of archive) parts.push(part as Buffer);
  return Buffer.concat(parts);
}

export function registryClient(registry: RegistryEndpoint, pushTo: string): RegistryClient {
  return createRegistryClient({
    registryUrl: registry.url,
    credentials: { username: registry.username, password: registry.password },
    signal: new AbortController().signal,
    userAgent: 'model-delivery-tests',
    pushTo,
  });
}

/** Pushes one image a version; gives their digests in the same order. */
export async function pushWebImages(
  registry: RegistryEndpoint,
  repository: string,
  images: readonly WebImage[],
): Promise<string[]> {
  return pushWebImagesBy(registryClient(registry, repository), repository, images);
}

/** {@link pushWebImages} by a client that may push there. */
export async function pushWebImagesBy(
  client: RegistryClient,
  repository: string,
  images: readonly WebImage[],
): Promise<string[]> {
  const files = blobOf(await layer('web'));
  await client.pushBlob(repository, files);
  const digests: string[] = [];
  for (const image of images) digests.push(await pushOne(client, repository, files, image));
  return digests;
}

/** Pushes an image of another of the tests' programs; gives its digest. */
export async function pushProgram(
  registry: RegistryEndpoint,
  repository: string,
  program: 'gateway',
): Promise<string> {
  const client = registryClient(registry, repository);
  const files = blobOf(await layer(program));
  await client.pushBlob(repository, files);
  const image = { tag: program, created: '2026-01-01T00:00:00Z' };
  return pushConfigured(client, repository, files, image, { User: '65532', Entrypoint: [`/${program}`] });
}

function pushOne(
  client: RegistryClient,
  repository: string,
  files: BlobSource,
  image: WebImage,
): Promise<string> {
  return pushConfigured(client, repository, files, image, {
    User: '65532',
    Entrypoint: ['/web'],
    Env: [
      `BEHAVIOUR=${image.behaviour ?? 'ok'}`,
      'MODEL_NAME=sentiment',
      `MODEL_VERSION=${image.modelVersion}`,
      `SCORE=0.${image.modelVersion.length}`,
    ],
    Labels: { 'org.opencontainers.image.revision': `commit-of-${image.tag}` },
  });
}

async function pushConfigured(
  client: RegistryClient,
  repository: string,
  files: BlobSource,
  image: Pick<WebImage, 'tag' | 'created' | 'architecture' | 'annotations'>,
  settings: object,
): Promise<string> {
  const config = blobOf(
    Buffer.from(
      JSON.stringify({
        os: 'linux',
        architecture: image.architecture ?? (process.arch === 'arm64' ? 'arm64' : 'amd64'),
        created: image.created,
        config: settings,
        rootfs: { type: 'layers', diff_ids: [files.digest] },
      }),
    ),
  );
  await client.pushBlob(repository, config);
  const content = JSON.stringify({
    schemaVersion: 2,
    mediaType: mediaTypes.manifest,
    config: { mediaType: mediaTypes.config, digest: config.digest, size: config.size },
    layers: [{ mediaType: mediaTypes.layer, digest: files.digest, size: files.size }],
    ...(image.annotations === undefined ? {} : { annotations: image.annotations }),
  });
  return client.putManifest(repository, image.tag, { mediaType: mediaTypes.manifest, content });
}
