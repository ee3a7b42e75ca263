import { setTimeout as sleep } from 'node:timers/promises';
import type { Collection, KubeClient, WatchEvent } from './client.ts';
import type { KubeObject } from './objects.ts';
import { ApiError } from './statusError.ts';

/** What is known of a collection: the last state of each of its objects. */
export interface Observed {
  items(): readonly KubeObject[];
  /** Settles only with an error that watching again cannot heal, for example a missing right. */
  readonly failure: Promise<never>;
}

const restartMs = 500;

class Expired extends Error {}

function key(object: KubeObject): string {
  return object.metadata.uid ?? `${object.metadata.namespace}/${object.metadata.name}`;
}

/** Who set which field is half of an object, and nobody asks it of one that is watched: thousands are kept. */
function slim(object: KubeObject): KubeObject {
  const { managedFields: _managedFields, ...metadata } = object.metadata;
  return { ...object, metadata };
}

function isFinal(error: unknown): boolean {
  return error instanceof ApiError && [400, 401, 403, 404, 422].includes(error.status);
}

/**
 * Lists a collection and keeps watching it until the signal is aborted: a watch that ends or breaks goes on
 * from the last version seen, and one that is too old (410 Gone) begins with a new list.
 * Resolves when the first list is there.
 * Source: https://kubernetes.io/docs/reference/using-api/api-concepts/#efficient-detection-of-changes
 */
export async function observe(
  client: KubeClient,
  collection: Collection,
  signal: AbortSignal,
  onChange: () => void,
): Promise<Observed> {
  let known = new Map<string, KubeObject>();
  let version = '0';

  async function relist(): Promise<void> {
    const list = await client.list(collection, signal);
    known = new Map(list.items.map((item) => [key(item), slim(item)]));
    version = list.resourceVersion;
    onChange();
  }

  function take(event: WatchEvent): void {
    if (event.type === 'ERROR') throw new Expired();
    version = event.object.metadata.resourceVersion ?? version;
    if (event.type === 'BOOKMARK') return;
    if (event.type === 'DELETED') known.delete(key(event.object));
    else known.set(key(event.object), slim(event.object));
    onChange();
  }

  async function follow(): Promise<void> {
    try {
      for await (const event of client.watch(collection, version, signal)) take(event);
    } catch (error) {
      // A token that has expired meanwhile is renewed by the list, or refused there for good.
      const isExpired = error instanceof ApiError && error.status === 401;
      if (signal.aborted || (isFinal(error) && !isExpired)) throw error;
      await sleep(restartMs, undefined, { signal });
      const gone =
        isExpired || error instanceof Expired || (error instanceof ApiError && error.status === 410);
      // The list fails while the API server is away: that too is tried again.
      if (gone)
        await relist().catch((cause: unknown) => (isFinal(cause) ? Promise.reject(cause) : undefined));
    }
  }

  async function forever(): Promise<never> {
    for (;;) await follow();
  }

  await relist();
  const failure = forever();
  failure.catch(() => undefined);
  return { items: () => [...known.values()], failure };
}
