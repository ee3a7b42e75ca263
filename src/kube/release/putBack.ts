import type { Log } from '../../host/host.ts';
import type { KubeClient } from '../api/client.ts';
import { describe, type KubeObject, refOf } from '../objects/objects.ts';
import { type Change, restorable } from '../plan/plan.ts';
import { removeObject } from '../plan/removal.ts';
import { removeStuckPods } from '../rollout/stuckPods.ts';
import { putRouteBack } from '../stages/routeStatus.ts';

/** An object of a release with the state that it had before. */
export interface Former {
  readonly change: Change;
  readonly live: KubeObject;
}

export interface PutBackOptions {
  readonly client: KubeClient;
  readonly log: Log;
  /** Milliseconds that all of the restoration has; 0 where the agent is about to kill the task. */
  readonly timeoutMs: number;
}

/** Time for the API server to take the old state back; the agent kills a cancelled task seconds later. */
const requestsMs = 20_000;
/** Time for the same where nobody is in a hurry: the API server may be restarting. */
const patientMs = 90_000;

/** A ConfigMap or Secret that the release has closed to changes makes way for what it was. */
async function makeWay(snapshot: KubeObject, options: PutBackOptions, signal: AbortSignal): Promise<void> {
  if (snapshot['immutable'] === true || !['ConfigMap', 'Secret'].includes(snapshot.kind)) return;
  const closed = await options.client.get(refOf(snapshot), signal);
  if (closed?.['immutable'] === true)
    await removeObject(closed, { ...options, timeoutMs: requestsMs, signal });
}

async function apply(
  snapshot: KubeObject,
  options: PutBackOptions,
  signal: AbortSignal,
): Promise<KubeObject> {
  const { client } = options;
  if (snapshot.kind === 'HTTPRoute') return putRouteBack(client, snapshot, signal);
  await makeWay(snapshot, options, signal);
  return client.apply(snapshot, { dryRun: false, force: true }, signal);
}

async function putBackOne({ change, live }: Former, options: PutBackOptions): Promise<KubeObject> {
  const signal = AbortSignal.timeout(options.timeoutMs === 0 ? requestsMs : patientMs);
  const restored = await apply(restorable(live, change.manifest.object), options, signal);
  options.log.info(`Restored ${describe(refOf(restored))} to its state before this run`);
  if (restored.kind === 'StatefulSet') await removeStuckPods(restored, { ...options, signal });
  return restored;
}

/** What was put back of several objects, and whether that was all of them. */
export interface PutBack {
  readonly restored: readonly KubeObject[];
  readonly isAll: boolean;
}

/** Puts every object back that can be; each that cannot be is a warning with the reason, and keeps no other. */
export async function putBack(formers: readonly Former[], options: PutBackOptions): Promise<PutBack> {
  const restored: KubeObject[] = [];
  for (const former of formers) {
    try {
      restored.push(await putBackOne(former, options));
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error);
      options.log.warning(`${describe(refOf(former.live))} could not be restored: ${why}`);
    }
  }
  return { restored, isAll: restored.length === formers.length };
}
