import type { DeliveryError } from '../errors.ts';
import type { Log } from '../host/host.ts';
import type { KubeClient } from './client.ts';
import { type Diagnosis, diagnose } from './diagnosis.ts';
import type { Manifest } from './manifests.ts';
import { describe, type KubeObject, refOf } from './objects.ts';
import type { Change } from './plan.ts';
import { restore } from './restore.ts';
import { type RolloutOutcome, watchRollout } from './rollout.ts';
import { rolloutKinds } from './workload.ts';

export interface ReleaseOptions<T> {
  readonly client: KubeClient;
  readonly log: Log;
  readonly force: boolean;
  readonly rolloutTimeoutMs: number;
  readonly rollbackOnFailure: boolean;
  readonly signal: AbortSignal;
  /** What must hold once the pods are ready, for example that users reach them; it throws when it does not. */
  readonly verify: (live: readonly KubeObject[]) => Promise<T>;
}

/** A release that ended well, or the reason and what became of it. */
export type ReleaseOutcome<T> =
  | { readonly state: 'released'; readonly live: readonly KubeObject[]; readonly verified: T }
  | {
      readonly state: 'failed';
      readonly error: unknown;
      readonly rolledBack: boolean;
      readonly diagnosis?: Diagnosis;
    };

/** A failed rollout with the evidence that was there before anything was rolled back. */
class RolloutFailure extends Error {
  readonly diagnosis: Diagnosis;

  constructor(diagnosis: Diagnosis) {
    super(diagnosis.error.message, { cause: diagnosis.error });
    this.diagnosis = diagnosis;
  }
}

function tell(diagnosis: Diagnosis, log: Log): void {
  log.info(diagnosis.error.message);
  if (diagnosis.events.length > 0) log.info(['Events:', ...diagnosis.events].join('\n  '));
  if (diagnosis.logLines.length > 0) log.info(['Last log lines:', ...diagnosis.logLines].join('\n  '));
}

/** Watches every workload at once; the first failure ends the others' watches. */
async function rollOut<T>(
  workloads: readonly KubeObject[],
  options: ReleaseOptions<T>,
): Promise<KubeObject[]> {
  const stop = new AbortController();
  const signal = AbortSignal.any([options.signal, stop.signal]);
  const { client, log, rolloutTimeoutMs: timeoutMs } = options;
  const watch = async (workload: KubeObject): Promise<KubeObject> => {
    const outcome: RolloutOutcome = await watchRollout(workload, { client, log, timeoutMs, signal });
    if (outcome.state === 'complete') return outcome.workload;
    const diagnosis = await diagnose(client, outcome.workload, outcome.problem, signal);
    tell(diagnosis, log);
    throw new RolloutFailure(diagnosis);
  };
  try {
    return await Promise.all(workloads.map(watch));
  } finally {
    stop.abort();
  }
}

/** The objects as they are after applying; `begun` gets each change just before it is sent. */
async function applyAll<T>(
  changes: readonly Change[],
  options: ReleaseOptions<T>,
  begun: Change[],
): Promise<KubeObject[]> {
  const live: KubeObject[] = [];
  for (const change of changes) {
    if (change.action === 'none') {
      live.push(change.live ?? change.planned);
      continue;
    }
    begun.push(change);
    const { force, signal } = options;
    const object = await options.client.apply(change.manifest.object, { dryRun: false, force }, signal);
    options.log.info(`${change.action === 'create' ? 'Created' : 'Updated'} ${describe(refOf(object))}`);
    live.push(object);
  }
  return live;
}

async function failed<T>(
  error: unknown,
  begun: readonly Change[],
  options: ReleaseOptions<T>,
): Promise<ReleaseOutcome<T>> {
  const diagnosis = error instanceof RolloutFailure ? error.diagnosis : undefined;
  const reason: DeliveryError | unknown = diagnosis?.error ?? error;
  const known = diagnosis === undefined ? {} : { diagnosis };
  if (begun.length === 0) return { state: 'failed', error: reason, rolledBack: false, ...known };
  if (!options.rollbackOnFailure) {
    options.log.info("The failed state stays, as 'rollbackOnFailure: false' asks.");
    return { state: 'failed', error: reason, rolledBack: false, ...known };
  }
  const timeoutMs = options.signal.aborted ? 0 : options.rolloutTimeoutMs;
  const rolledBack = await restore(begun, { client: options.client, log: options.log, timeoutMs });
  return { state: 'failed', error: reason, rolledBack, ...known };
}

/**
 * Applies the changes, watches the workloads (unchanged ones too) until they are available, and verifies. After
 * a failure or a cancellation the state before is put back.
 */
export async function release<T>(
  changes: readonly Change<Manifest>[],
  options: ReleaseOptions<T>,
): Promise<ReleaseOutcome<T>> {
  const begun: Change[] = [];
  try {
    const applied = await applyAll(changes, options, begun);
    const workloads = applied.filter((object) => rolloutKinds.includes(object.kind));
    const rolled = await rollOut(workloads, options);
    const live = applied.map((object) => rolled.find((one) => refMatches(one, object)) ?? object);
    return { state: 'released', live, verified: await options.verify(live) };
  } catch (error) {
    return failed(options.signal.aborted ? options.signal.reason : error, begun, options);
  }
}

function refMatches(a: KubeObject, b: KubeObject): boolean {
  return describe(refOf(a)) === describe(refOf(b));
}
