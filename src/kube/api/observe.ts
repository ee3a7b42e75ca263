import { setTimeout as sleep } from 'node:timers/promises';
import type { KubeObject } from '../objects/objects.ts';
import type { Collection, KubeClient, WatchEvent } from './client.ts';
import { ApiError } from './statusError.ts';

/** What is known of a collection: the last state of each of its objects. */
export interface Observed {
  items(): readonly KubeObject[];
  /** Settles only with an error that watching again cannot heal, for example a missing right. */
  readonly failure: Promise<never>;
}

const restartMs = 500;
/** How long a watch that has worked waits before each new try when it is refused. */
const refusedMs = [1000, 2000, 4000];
/** A refusal that comes so long after the last one begins a new count. */
const forgottenMs = 15_000;

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
 * An API server that has just been started refuses what it allows a moment later, once it has read the roles
 * and their bindings. A right that is truly gone is still refused after the last try.
 */
function createPatience(): (error: unknown) => number | undefined {
  let refusals = 0;
  let last = Number.NEGATIVE_INFINITY;
  return (error) => {
    if (!(error instanceof ApiError && [401, 403].includes(error.status))) return undefined;
    const now = performance.now();
    refusals = now - last > forgottenMs ? 1 : refusals + 1;
    last = now;
    return refusedMs[refusals - 1];
  };
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

  const patience = createPatience();

  /** Waits before the next try, or fails with an error that no further try heals. */
  async function pause(error: unknown): Promise<void> {
    if (signal.aborted) throw error;
    const refusedWait = patience(error);
    if (refusedWait === undefined && isFinal(error)) throw error;
    await sleep(refusedWait ?? restartMs, undefined, { signal });
  }

  async function follow(): Promise<void> {
    try {
      for await (const event of client.watch(collection, version, signal)) take(event);
    } catch (error) {
      await pause(error);
      // A token that has expired meanwhile is renewed by the list, or refused there.
      const isStale =
        error instanceof Expired || (error instanceof ApiError && [401, 410].includes(error.status));
      // The list may fail while the API server is away: then the watch is tried again from where it was.
      if (isStale) await relist().catch(pause);
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
