import type { RegistryClient } from '../oci/client.ts';
import { mapParallel } from '../parallel.ts';
import type { Layer } from './layers/layer.ts';

/** How a layer came into the target repository. */
export interface PushedLayer {
  readonly layer: Layer;
  readonly how: 'uploaded' | 'mounted' | 'reused';
  readonly seconds: number;
}

export interface PushOptions {
  readonly client: RegistryClient;
  readonly repository: string;
  /** Told of bytes as they leave. */
  readonly onBytes?: (bytes: number) => void;
}

const atOnce = 4;

async function* counted(
  content: AsyncIterable<Uint8Array>,
  onBytes: ((bytes: number) => void) | undefined,
): AsyncGenerator<Uint8Array> {
  for await (const part of content) {
    onBytes?.(part.byteLength);
    yield part;
  }
}

async function transfer(options: PushOptions, layer: Layer, mountFrom?: string): Promise<PushedLayer['how']> {
  const { client, repository } = options;
  const { source } = layer;
  if (!('open' in source)) return 'reused';
  if (await client.hasBlob(repository, layer.digest)) return 'reused';
  const open = (offset: number) => counted(source.open(offset), options.onBytes);
  return await client.pushBlob(repository, { digest: layer.digest, size: layer.size, open }, mountFrom);
}

async function pushOne(options: PushOptions, layer: Layer): Promise<PushedLayer> {
  const { source } = layer;
  if (source.from === 'sent') return { layer, how: 'uploaded', seconds: source.seconds };
  const started = performance.now();
  const how = await transfer(options, layer, source.from === 'repository' ? source.mountFrom : undefined);
  return { layer, how, seconds: (performance.now() - started) / 1000 };
}

/** Brings every layer into the repository that is not there: looked for, mounted, or sent; equal ones once. */
export async function pushLayers(
  options: PushOptions,
  layers: readonly Layer[],
): Promise<readonly PushedLayer[]> {
  const first = new Map(layers.map((layer) => [layer.digest, layer]));
  const pushed = await mapParallel([...first.values()], atOnce, (layer) => pushOne(options, layer));
  const byDigest = new Map(pushed.map((one) => [one.layer.digest, one]));
  return layers.flatMap((layer) => {
    const one = byDigest.get(layer.digest);
    return one === undefined ? [] : [{ ...one, layer }];
  });
}
