import { gzipSync } from 'node:zlib';
import type { RegistryClient } from '../../src/oci/client.ts';
import { digestOf } from '../../src/oci/documents.ts';
import { type Descriptor, mediaTypes } from '../../src/oci/types.ts';

/** An archive without entries, by RFC 8878: one block of 1024 zeros. */
const emptyTar = Buffer.alloc(1024);
const emptyZstd = Buffer.from('28b52ffd6000030320' + '0000', 'hex');

async function push(client: RegistryClient, repository: string, content: Buffer, mediaType: string) {
  async function* open(offset: number): AsyncGenerator<Uint8Array> {
    yield content.subarray(offset);
  }
  const blob = { digest: digestOf(content), size: content.byteLength, open };
  await client.pushBlob(repository, blob);
  return { mediaType, digest: blob.digest, size: blob.size };
}

/** A base image for two processors as Docker writes it: a manifest list, a layer of gzip and one of zstd. */
export async function pushDockerBase(client: RegistryClient, repository: string): Promise<void> {
  const manifests: Descriptor[] = [];
  for (const architecture of ['amd64', 'arm64']) {
    const config = {
      ...{ os: 'linux', architecture, config: { Env: ['PYTHON_VERSION=3.12.1', `CPU=${architecture}`] } },
      rootfs: { type: 'layers', diff_ids: [digestOf(emptyTar), digestOf(emptyTar)] },
    };
    const packed = Buffer.from(JSON.stringify(config));
    const manifest = {
      schemaVersion: 2,
      mediaType: mediaTypes.dockerManifest,
      config: await push(client, repository, packed, 'application/vnd.docker.container.image.v1+json'),
      layers: [
        await push(client, repository, gzipSync(emptyTar), mediaTypes.dockerLayerGzip),
        await push(client, repository, emptyZstd, 'application/vnd.docker.image.rootfs.diff.tar.zstd'),
      ],
    };
    const content = JSON.stringify(manifest);
    const digest = digestOf(content);
    await client.putManifest(repository, digest, { mediaType: mediaTypes.dockerManifest, content });
    const size = Buffer.byteLength(content);
    manifests.push({
      mediaType: mediaTypes.dockerManifest,
      digest,
      size,
      platform: { os: 'linux', architecture },
    });
  }
  const content = JSON.stringify({ schemaVersion: 2, mediaType: mediaTypes.dockerList, manifests });
  await client.putManifest(repository, '1', { mediaType: mediaTypes.dockerList, content });
}
