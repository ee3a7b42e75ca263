import { randomBytes } from 'node:crypto';
import { buffer } from 'node:stream/consumers';
import type { RegistryEndpoint } from '../../local/lib/endpoints.ts';
import { planModelLayers } from '../../src/image/model/packing.ts';
import { annotations } from '../../src/oci/annotations.ts';
import { createRegistryClient, type RegistryClient } from '../../src/oci/client.ts';
import { digestOf } from '../../src/oci/documents.ts';
import { type Descriptor, mediaTypes } from '../../src/oci/types.ts';

/** How a model lies in the registry: a layer a file as ORAS pushes it, or archives as BuildModelImage does. */
export type ModelShape = 'artifact' | 'image';

/** A repository of a test's own, with one version a tag. */
export interface ModelRepository {
  readonly client: RegistryClient;
  readonly repository: string;
  put(tag: string, files: ReadonlyMap<string, Uint8Array>): Promise<readonly Descriptor[]>;
  /** Deletes a blob, as the registry's garbage collection would. */
  deleteBlob(digest: string): Promise<void>;
}

async function pushBytes(
  client: RegistryClient,
  repository: string,
  content: Uint8Array,
): Promise<Descriptor> {
  const digest = digestOf(content);
  async function* open(offset: number): AsyncGenerator<Uint8Array> {
    yield content.subarray(offset);
  }
  await client.pushBlob(repository, { digest, size: content.length, open });
  // ORAS calls every single file a tar.
  return { mediaType: mediaTypes.layer, digest, size: content.length };
}

async function layersOf(
  files: ReadonlyMap<string, Uint8Array>,
  shape: ModelShape,
): Promise<readonly { readonly content: Uint8Array; readonly notes: Record<string, string> }[]> {
  if (shape === 'artifact') {
    return [...files].map(([path, content]) => ({ content, notes: { [annotations.title]: path } }));
  }
  const model = [...files].map(([path, content]) => ({
    path,
    size: content.length,
    async *open(offset: number) {
      yield content.subarray(offset);
    },
  }));
  const plans = planModelLayers(model, '/app/model');
  const contents = await Promise.all(plans.map((plan) => buffer(plan.archive.open(0))));
  return contents.map((content) => ({ content, notes: { [annotations.layerKind]: 'model' } }));
}

/** An empty repository. */
export function modelRepository(registry: RegistryEndpoint, shape: ModelShape): ModelRepository {
  const repository = `models/${randomBytes(6).toString('hex')}`;
  const { signal } = new AbortController();
  const client = createRegistryClient({
    registryUrl: registry.url,
    credentials: registry,
    signal,
    userAgent: 'model-delivery-tests',
    pushTo: repository,
  });
  return {
    client,
    repository,
    async put(tag, files) {
      const layers: Descriptor[] = [];
      for (const { content, notes } of await layersOf(files, shape)) {
        layers.push({ ...(await pushBytes(client, repository, content)), annotations: notes });
      }
      const config = {
        ...(await pushBytes(client, repository, Buffer.from('{}'))),
        mediaType: 'application/vnd.oci.empty.v1+json',
      };
      const notes = {
        [annotations.created]: new Date().toISOString(),
        [annotations.modelPath]: '/app/model',
      };
      const manifest = {
        schemaVersion: 2,
        mediaType: mediaTypes.manifest,
        config,
        layers,
        annotations: notes,
      };
      await client.putManifest(repository, tag, {
        mediaType: mediaTypes.manifest,
        content: JSON.stringify(manifest),
      });
      return layers;
    },
    async deleteBlob(digest) {
      const authorization = `Basic ${Buffer.from(`${registry.username}:${registry.password}`).toString('base64')}`;
      const answer = await fetch(`${registry.url}/v2/${repository}/blobs/${digest}`, {
        method: 'DELETE',
        headers: { authorization },
      });
      if (answer.status !== 202) throw new Error(`the registry answered ${answer.status}`);
    },
  };
}
