import type { Log } from '../../host/host.ts';
import type { KubeClient } from '../api/client.ts';
import { describe, type KubeObject, refOf } from '../objects/objects.ts';
import { rolloutKinds } from '../objects/workload.ts';
import type { Change } from '../plan/plan.ts';
import { removeCreated } from '../plan/removal.ts';
import { watchRollouts } from '../rollout/rollouts.ts';
import { removeCanaries } from '../stages/canaryService.ts';
import { sendBack } from '../stages/pins.ts';
import { type Former, putBack } from './putBack.ts';

export interface RestoreOptions {
  readonly client: KubeClient;
  readonly log: Log;
  /** Milliseconds that the restored workloads have to be available again; 0 leaves without waiting. */
  readonly timeoutMs: number;
  /** Removes what the failed release created; otherwise it stays. */
  readonly removeOnFailure: boolean;
}

/** Time for the API server to take requests; the agent kills a cancelled task seconds later. */
const requestsMs = 20_000;

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

/** One step of the way back: what fails in it is told, and the others follow. */
async function attempt(what: string, log: Log, step: () => Promise<boolean>): Promise<boolean> {
  try {
    return await step();
  } catch (error) {
    log.warning(`${what}: ${error instanceof Error ? error.message : String(error)}`);
    return false;
  }
}

async function areBack(restored: readonly KubeObject[], options: RestoreOptions): Promise<boolean> {
  if (options.timeoutMs === 0) return true;
  const workloads = restored.filter((object) => rolloutKinds.includes(object.kind));
  return attempt('It is not known whether the former state runs again', options.log, () =>
    areHealthy(workloads, options),
  );
}

async function restoreUpdated(updated: readonly Former[], options: RestoreOptions): Promise<boolean> {
  const { client, log } = options;
  const soon = (): AbortSignal => AbortSignal.timeout(requestsMs);
  // Routes first: no user is to be sent to pods that go. Services last: until the former pods alone are back, users
  // stay where they are, unless a switch has left healthy former pods for pods that fail.
  const kinds = ['HTTPRoute', 'Service'];
  const before = updated.map(({ live }) => live);
  await attempt('Users could not be sent back at once', log, async () => {
    await sendBack(before, client, log, soon());
    return true;
  });
  const routes = await putBack(
    updated.filter(({ live }) => live.kind === 'HTTPRoute'),
    options,
  );
  const others = await putBack(
    updated.filter(({ live }) => !kinds.includes(live.kind)),
    options,
  );
  const isHealthy = await areBack(others.restored, options);
  const services = await putBack(
    updated.filter(({ live }) => live.kind === 'Service'),
    options,
  );
  const isClear = await attempt("The canary's own objects could not be removed", log, async () => {
    const changes = updated.map(({ change, live }) => ({ ...change, live }));
    await removeCanaries(changes, { ...options, signal: soon() });
    return true;
  });
  return [routes.isAll, others.isAll, isHealthy, services.isAll, isClear].every(Boolean);
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
