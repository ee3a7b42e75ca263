import type { Log } from '../../host/host.ts';
import type { KubeClient } from '../api/client.ts';
import { describe, type KubeObject, refOf } from '../objects/objects.ts';
import { rolloutKinds } from '../objects/workload.ts';
import { type Change, restorable } from '../plan/plan.ts';
import { removeCreated } from '../plan/removal.ts';
import { watchRollouts } from '../rollout/rollouts.ts';
import { removeStuckPods } from '../rollout/stuckPods.ts';
import { removeCanaries } from '../stages/canaryService.ts';
import { putRouteBack } from '../stages/routeStatus.ts';

export interface RestoreOptions {
  readonly client: KubeClient;
  readonly log: Log;
  /** Milliseconds that the restored workloads have to be available again; 0 leaves without waiting. */
  readonly timeoutMs: number;
  /** Removes what the failed release created; otherwise it stays. */
  readonly removeOnFailure: boolean;
}

/** Time for the API server to take the old state back; the agent kills a cancelled task seconds later. */
const requestsMs = 20_000;
/** Time for the same where nobody is in a hurry: the API server may be restarting. */
const patientMs = 90_000;

async function putBack(change: Change, live: KubeObject, options: RestoreOptions): Promise<KubeObject> {
  const signal = AbortSignal.timeout(options.timeoutMs === 0 ? requestsMs : patientMs);
  const snapshot = restorable(live, change.manifest.object);
  const restored =
    snapshot.kind === 'HTTPRoute'
      ? await putRouteBack(options.client, snapshot, signal)
      : await options.client.apply(snapshot, { dryRun: false, force: true }, signal);
  options.log.info(`Restored ${describe(refOf(restored))} to its state before this run`);
  if (restored.kind === 'StatefulSet') await removeStuckPods(restored, { ...options, signal });
  return restored;
}

async function areHealthy(workloads: readonly KubeObject[], options: RestoreOptions): Promise<boolean> {
  const signal = AbortSignal.timeout(options.timeoutMs + requestsMs);
  const outcomes = await watchRollouts(workloads, { ...options, signal, until: 'all' });
  for (const outcome of outcomes) {
    const subject = describe(refOf(outcome.workload));
    if (outcome.state === 'complete') {
      options.log.info(`${subject} runs its former state again, every pod available`);
    } else options.log.warning(`${subject} was restored, but ${outcome.problem.message}.`);
  }
  return outcomes.every(({ state }) => state === 'complete');
}

/** True when nothing that the release created is left. */
async function clearCreated(changes: readonly Change[], options: RestoreOptions): Promise<boolean> {
  const created = changes.filter((change) => change.action === 'create');
  if (created.length === 0) return true;
  if (options.removeOnFailure) {
    const signal = AbortSignal.timeout(options.timeoutMs + requestsMs);
    return removeCreated(created, { ...options, signal });
  }
  const names = created.map((change) => describe(refOf(change.manifest.object))).join(', ');
  options.log.info(`Left as created by this run, since there was none before: ${names}`);
  return false;
}

async function putBackAll(
  changes: readonly { readonly change: Change; readonly live: KubeObject }[],
  options: RestoreOptions,
): Promise<boolean> {
  const restored: KubeObject[] = [];
  for (const { change, live } of changes) restored.push(await putBack(change, live, options));
  if (options.timeoutMs === 0) return true;
  const workloads = restored.filter((object) => rolloutKinds.includes(object.kind));
  return areHealthy(workloads, options);
}

async function restoreUpdated(
  updated: readonly { readonly change: Change; readonly live: KubeObject }[],
  options: RestoreOptions,
): Promise<boolean> {
  // Routes first: no user is to be sent to pods that go. Services last: until the former pods alone are back, users
  // stay where they are.
  const routes = updated.filter(({ live }) => live.kind === 'HTTPRoute');
  const services = updated.filter(({ live }) => live.kind === 'Service');
  const others = updated.filter(({ live }) => live.kind !== 'Service' && live.kind !== 'HTTPRoute');
  try {
    for (const { change, live } of routes) await putBack(change, live, options);
    const isRestored = await putBackAll(others, options);
    for (const { change, live } of services) await putBack(change, live, options);
    const signal = AbortSignal.timeout(requestsMs);
    await removeCanaries(
      updated.map(({ change, live }) => ({ ...change, live })),
      { ...options, signal },
    );
    return isRestored;
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    options.log.warning(`The former state could not be restored: ${why}`);
    return false;
  }
}

/**
 * Brings the objects of a failed release back to the state they had before it, waits until the restored workloads
 * are available, and then removes what it created, if that is asked for. False when there was nothing to restore,
 * or the state is not the one before: of a first deployment only its removal is.
 */
export async function restore(changes: readonly Change[], options: RestoreOptions): Promise<boolean> {
  const updated = changes.flatMap((change) => {
    const live = change.snapshot ?? change.live;
    return live === undefined ? [] : [{ change, live }];
  });
  if (updated.length > 0) {
    const isRestored = await restoreUpdated(updated, options);
    if (isRestored || !options.removeOnFailure) await clearCreated(changes, options);
    return isRestored;
  }
  const isCleared = await clearCreated(changes, options);
  if (isCleared) options.log.info('Nothing is left of this first deployment.');
  else options.log.info('Nothing to restore: this was the first deployment.');
  return isCleared;
}
