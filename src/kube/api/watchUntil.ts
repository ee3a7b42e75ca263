import { setTimeout as sleep } from 'node:timers/promises';
import type { KubeObject } from '../objects/objects.ts';
import type { Collection, KubeClient } from './client.ts';
import { observe } from './observe.ts';

export interface WatchUntilOptions {
  /** Milliseconds from now. */
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
}

/** Looking takes at most this part of the time, however many objects there are and however often they change. */
const lookingShare = 0.1;

/** The objects of each watched collection, in the collections' order. */
export type Seen = readonly (readonly KubeObject[])[];

/**
 * Watches collections until `look` finds an answer in them, or the time is over (then undefined).
 * Throws only when the cluster cannot be watched, or the signal is aborted.
 */
export async function watchUntil<T>(
  client: KubeClient,
  collections: readonly Collection[],
  options: WatchUntilOptions,
  look: (seen: Seen) => T | undefined,
): Promise<{ readonly answer: T | undefined; readonly seen: Seen }> {
  const stop = new AbortController();
  const signal = AbortSignal.any([options.signal, stop.signal]);
  let notify = (): void => undefined;
  // The timer decides, no clock: it may fire a moment early, and nothing wakes the wait a second time.
  let isOver = false;
  const deadline = setTimeout(() => {
    isOver = true;
    notify();
  }, options.timeoutMs);
  try {
    const observed = await Promise.all(
      collections.map((collection) => observe(client, collection, signal, () => notify())),
    );
    const failure = Promise.race(observed.map((one) => one.failure));
    // It is awaited below; after the answer nobody listens when the watches are stopped.
    failure.catch(() => undefined);
    for (;;) {
      const changed = new Promise<void>((resolve) => {
        notify = resolve;
      });
      const seen = observed.map((one) => one.items());
      const started = performance.now();
      const answer = look(seen);
      if (answer !== undefined || isOver) return { answer, seen };
      const pauseMs = (performance.now() - started) * (1 / lookingShare - 1);
      await Promise.race([changed, failure]);
      await sleep(pauseMs, undefined, { signal });
    }
  } finally {
    clearTimeout(deadline);
    stop.abort();
  }
}
