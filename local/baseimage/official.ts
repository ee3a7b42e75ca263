import { EnvHttpProxyAgent, request } from 'undici';
import type { RegistryClientOptions } from '../../src/oci/access.ts';
import { createRegistryClient, type RegistryClient } from '../../src/oci/client.ts';
import { digestOf } from '../../src/oci/documents.ts';
import { createTransport } from '../../src/oci/transport.ts';
import type { Platform } from '../../src/oci/types.ts';

const dockerHub = 'https://registry-1.docker.io';
const patienceMs = 3_000;

/** An image of a platform in another registry. */
export interface ImageSource {
  readonly registry: RegistryClientOptions;
  readonly repository: string;
  readonly tag: string;
  readonly platform: Platform;
}

/** Docker Hub, through the proxy that the environment names; an error where it does not answer soon. */
export async function reachDockerHub(signal: AbortSignal): Promise<RegistryClientOptions> {
  const dispatcher = new EnvHttpProxyAgent();
  const soon = AbortSignal.any([signal, AbortSignal.timeout(patienceMs)]);
  const { body } = await request(`${dockerHub}/v2/`, { dispatcher, signal: soon });
  await body.dump();
  return { registryUrl: dockerHub, dispatcher, signal, userAgent: 'model-delivery-local' };
}

/** The manifest byte for byte, which alone keeps its digest. */
async function readExactly(
  { registry, repository }: ImageSource,
  digest: string,
  mediaType: string,
): Promise<string> {
  const transport = createTransport(registry);
  const response = await transport.send({
    method: 'GET',
    path: `/v2/${repository}/manifests/${digest}`,
    scope: `repository:${repository}:pull`,
    headers: { accept: mediaType },
    expect: [200],
  });
  const content = await transport.read(response);
  if (digestOf(content) !== digest) throw new Error(`the registry sent other bytes than those of ${digest}`);
  return content.toString('utf8');
}

/** Copies the image from registry to registry, blobs first, and gives its digest, which stays the same. */
export async function copyImage(
  source: ImageSource,
  target: RegistryClient,
  repository: string,
): Promise<string> {
  const client = createRegistryClient(source.registry);
  const image = await client.image(source.repository, source.tag, source.platform);
  const blobs = [image.manifest.config, ...image.manifest.layers];
  await Promise.all(
    blobs.map(({ digest, size }) =>
      target.pushBlob(repository, {
        digest,
        size,
        open: (offset) => client.readBlob(source.repository, digest, offset),
      }),
    ),
  );
  const content = await readExactly(source, image.digest, image.mediaType);
  return target.putManifest(repository, source.tag, { mediaType: image.mediaType, content });
}
