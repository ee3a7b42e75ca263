import { EnvHttpProxyAgent } from 'undici';
import { digestOf } from '../../src/oci/documents.ts';
import { createTransport, headerOf, type Transport } from '../../src/oci/transport.ts';
import { type Descriptor, mediaTypes } from '../../src/oci/types.ts';
import type { RegistryEndpoint } from '../lib/endpoints.ts';

/** One repository of a registry, as far as the base image needs it. */
export interface Repository {
  readonly transport: Transport;
  readonly name: string;
}

export interface StoredDocument {
  readonly content: Buffer;
  readonly mediaType: string;
  readonly digest: string;
}

/** Longest time for a whole image, in milliseconds. */
const longestMs = 600_000;
const readable = [
  mediaTypes.manifest,
  mediaTypes.index,
  mediaTypes.dockerManifest,
  mediaTypes.dockerList,
].join();

/** A repository of the local registry. */
export function localRepository(registry: RegistryEndpoint, name: string): Repository {
  const transport = createTransport({
    registryUrl: registry.url,
    credentials: registry,
    signal: AbortSignal.timeout(longestMs),
    userAgent: 'model-delivery-local',
  });
  return { transport, name };
}

/** A repository of a public registry, through the proxy that the environment names. */
export function publicRepository(registryUrl: string, name: string): Repository {
  const transport = createTransport({
    registryUrl,
    signal: AbortSignal.timeout(longestMs),
    userAgent: 'model-delivery-local',
    dispatcher: new EnvHttpProxyAgent({ connect: { timeout: 3_000 } }),
  });
  return { transport, name };
}

/** The manifest or index under a tag or digest; undefined where there is none. */
export async function readManifest(
  { transport, name }: Repository,
  reference: string,
  attempts = 3,
): Promise<StoredDocument | undefined> {
  const response = await transport.send({
    method: 'GET',
    path: `/v2/${name}/manifests/${reference}`,
    scope: `repository:${name}:pull`,
    headers: { accept: readable },
    expect: [200, 404],
    attempts,
  });
  const content = await transport.read(response);
  if (response.status === 404) return undefined;
  return { content, mediaType: headerOf(response, 'content-type') ?? '', digest: digestOf(content) };
}

/** The bytes of a blob; the registry that takes them checks their digest. */
export async function readBlob(
  { transport, name }: Repository,
  digest: string,
): Promise<AsyncIterable<Uint8Array>> {
  const response = await transport.send({
    method: 'GET',
    path: `/v2/${name}/blobs/${digest}`,
    scope: `repository:${name}:pull`,
    expect: [200],
  });
  return response.body;
}

/** Uploads a blob in one piece unless the repository has it; https://github.com/opencontainers/distribution-spec */
export async function pushBlob(
  { transport, name }: Repository,
  blob: Pick<Descriptor, 'digest' | 'size'>,
  open: () => Promise<AsyncIterable<Uint8Array> | Uint8Array>,
): Promise<void> {
  const scope = `repository:${name}:pull,push`;
  const path = `/v2/${name}/blobs/${blob.digest}`;
  const head = await transport.send({ method: 'HEAD', path, scope, expect: [200, 404] });
  await head.body.dump();
  if (head.status === 200) return;
  const start = await transport.send({
    method: 'POST',
    path: `/v2/${name}/blobs/uploads/`,
    scope,
    expect: [202],
  });
  await start.body.dump();
  const target = new URL(headerOf(start, 'location') ?? '', start.url);
  target.searchParams.set('digest', blob.digest);
  const content = await open();
  const put = await transport.send({
    method: 'PUT',
    path: target,
    scope,
    headers: { 'content-type': 'application/octet-stream', 'content-length': `${blob.size}` },
    body: () => content,
    expect: [201],
    attempts: 1,
  });
  await put.body.dump();
}

/** Stores the manifest under the tag. */
export async function pushManifest(
  { transport, name }: Repository,
  tag: string,
  manifest: Pick<StoredDocument, 'content' | 'mediaType'>,
): Promise<void> {
  const put = await transport.send({
    method: 'PUT',
    path: `/v2/${name}/manifests/${tag}`,
    scope: `repository:${name}:pull,push`,
    headers: { 'content-type': manifest.mediaType },
    body: () => manifest.content,
    expect: [201],
  });
  await put.body.dump();
}
