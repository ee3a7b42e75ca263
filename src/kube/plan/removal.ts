import { setTimeout as sleep } from 'node:timers/promises';
import type { Log } from '../../host/host.ts';
import { fieldManager, type KubeClient } from '../api/client.ts';
import type { Right } from '../api/right.ts';
import { describe, type KubeObject, refOf } from '../objects/objects.ts';
import type { Change } from './plan.ts';

export interface RemovalOptions {
  readonly client: KubeClient;
  readonly log: Log;
  /** Milliseconds for each object to be gone with all that it owns; 0 leaves without waiting. */
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
}

const askEveryMs = 250;
/** The server writes both times of one request from one clock, in whole seconds. */
const sameRequestMs = 1000;

/** The rights to remove objects of these kinds. */
export async function removalRights(
  client: KubeClient,
  objects: readonly KubeObject[],
  signal: AbortSignal,
): Promise<Right[]> {
  return Promise.all(
    objects.map(async ({ apiVersion, kind, metadata: { namespace } }) => {
      const { group, plural } = await client.resource(apiVersion, kind, signal);
      const place = namespace === undefined ? {} : { namespace };
      return { verb: 'delete', group, resource: plural, required: true, ...place };
    }),
  );
}

/** True while this product's apply is among those that the API server remembers for the object. */
export function isOurs(live: KubeObject): boolean {
  return (live.metadata.managedFields ?? []).some(
    (entry) => entry.manager === fieldManager && entry.operation === 'Apply',
  );
}

/** True when our own apply made the object: somebody else may have been first after the plan. */
function madeByApply(live: KubeObject): boolean {
  const born = Date.parse(live.metadata.creationTimestamp ?? '');
  return (live.metadata.managedFields ?? []).some(
    (entry) =>
      entry.manager === fieldManager &&
      entry.operation === 'Apply' &&
      Math.abs(Date.parse(entry.time ?? '') - born) <= sameRequestMs,
  );
}

async function waitGone(live: KubeObject, options: RemovalOptions): Promise<boolean> {
  const endsAt = performance.now() + options.timeoutMs;
  for (;;) {
    const found = await options.client.get(refOf(live), options.signal);
    if (found === undefined || found.metadata.uid !== live.metadata.uid) return true;
    if (performance.now() >= endsAt) return false;
    await sleep(askEveryMs, undefined, { signal: options.signal });
  }
}

/** Removes exactly this object, with what it owns, and sees that it is gone. False when it is still there. */
export async function removeObject(live: KubeObject, options: RemovalOptions): Promise<boolean> {
  const ref = refOf(live);
  const { uid } = live.metadata;
  await options.client.remove(
    ref,
    { propagation: 'Foreground', ...(uid === undefined ? {} : { uid }) },
    options.signal,
  );
  if (options.timeoutMs === 0) {
    options.log.info(`${describe(ref)} is being removed`);
    return true;
  }
  const isGone = await waitGone(live, options);
  if (isGone) options.log.info(`Removed ${describe(ref)}`);
  else options.log.warning(`${describe(ref)} is being removed, and is not gone yet.`);
  return isGone;
}

async function removeOne(change: Change, options: RemovalOptions): Promise<boolean> {
  const ref = refOf(change.planned);
  const live = await options.client.get(ref, options.signal);
  if (live === undefined) return true;
  if (madeByApply(live)) return removeObject(live, options);
  options.log.warning(`${describe(ref)} stays: it was not created by this run after all.`);
  return false;
}

/**
 * Removes what these changes created, what came last first. True when everything is gone; what stays, and why,
 * is a warning.
 */
export async function removeCreated(changes: readonly Change[], options: RemovalOptions): Promise<boolean> {
  const results: boolean[] = [];
  for (const change of [...changes].reverse()) {
    const isGone = await removeOne(change, options).catch((error: unknown) => {
      const why = error instanceof Error ? error.message : String(error);
      options.log.warning(`${describe(refOf(change.planned))} could not be removed: ${why}`);
      return false;
    });
    results.push(isGone);
  }
  return results.every((one) => one);
}
