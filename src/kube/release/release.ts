import type { Log } from '../../host/host.ts';
import type { KubeClient } from '../api/client.ts';
import type { PodsUnderTest } from '../gate/sampling.ts';
import type { PinnedManifest } from '../manifests/imagePin.ts';
import { describe, type KubeObject, refOf } from '../objects/objects.ts';
import { rolloutKinds } from '../objects/workload.ts';
import { applyInBatches } from '../plan/batches.ts';
import type { Change } from '../plan/plan.ts';
import { DiagnosedFailure, type Diagnosis, diagnose } from '../rollout/diagnosis.ts';
import { watchRollouts } from '../rollout/rollouts.ts';
import { removeStuckPods } from '../rollout/stuckPods.ts';
import { removeCanaries } from '../stages/canaryService.ts';
import { heldState } from '../stages/heldRecord.ts';
import { pinOf, type Strategy } from '../stages/hold.ts';
import { hasShare } from '../stages/httpRoute.ts';
import { unpin } from '../stages/pins.ts';
import { putRouteBack } from '../stages/routeStatus.ts';
import { stage } from '../stages/stage.ts';
import { isLeftToStage, runsImage, stagesOf } from '../stages/stageChoice.ts';
import { restore } from './restore.ts';

export interface ReleaseOptions<T> {
  readonly client: KubeClient;
  readonly log: Log;
  readonly force: boolean;
  readonly rolloutTimeoutMs: number;
  readonly rollbackOnFailure: boolean;
  /** Removes what this run created, when it fails. */
  readonly removeOnFailure: boolean;
  readonly signal: AbortSignal;
  readonly strategy: Strategy;
  /** Stops a staged rollout once its new pods are verified; what serves users goes on. */
  readonly hold: boolean;
  /** Puts the new state of a workload to the test before it is applied; it throws when it does not pass. */
  readonly trial?: (change: Change) => Promise<void>;
  /** The same test on the new pods that a staged rollout has brought up. */
  readonly verifyPods?: (pods: PodsUnderTest, workload: KubeObject) => Promise<void>;
  /** What must hold once the pods are ready, for example that users reach them; it throws when it does not. */
  readonly verify: (live: readonly KubeObject[]) => Promise<T>;
}

/** A release that ended well, or the reason and what became of it. */
export type ReleaseOutcome<T> =
  | { readonly state: 'released'; readonly live: readonly KubeObject[]; readonly verified: T }
  /** Verified, and waiting for its promotion. */
  | { readonly state: 'held'; readonly live: readonly KubeObject[] }
  | {
      readonly state: 'failed';
      readonly error: unknown;
      readonly rolledBack: boolean;
      /** False when it failed before anything was changed. */
      readonly begun: boolean;
      readonly diagnosis?: Diagnosis;
    };

/** Writes the evidence of a failure into the log. */
export function tell(diagnosis: Diagnosis, log: Log): void {
  log.info(diagnosis.error.message);
  if (diagnosis.events.length > 0) log.info(['Events:', ...diagnosis.events].join('\n  '));
  if (diagnosis.logLines.length > 0) log.info(['Last log lines:', ...diagnosis.logLines].join('\n  '));
}

/** Watches every workload at once; the first failure ends it. */
async function rollOut<T>(
  workloads: readonly KubeObject[],
  options: ReleaseOptions<T>,
): Promise<KubeObject[]> {
  const { client, log, rolloutTimeoutMs: timeoutMs, signal } = options;
  const watching = { client, log, timeoutMs, signal, until: 'first failure' } as const;
  const outcomes = await watchRollouts(workloads, watching);
  for (const outcome of outcomes) {
    if (outcome.state === 'complete') continue;
    throw new DiagnosedFailure(await diagnose(client, outcome.workload, outcome.problem, signal));
  }
  return outcomes.map(({ workload }) => workload);
}

/** Applies one change, in stages where the strategy asks for it and there are former pods. */
async function applyOne<T>(
  change: Change<PinnedManifest>,
  changes: readonly Change<PinnedManifest>[],
  options: ReleaseOptions<T>,
  begun: Change[],
): Promise<KubeObject> {
  if (change.action === 'none' || isLeftToStage(change, changes, options.strategy)) {
    return change.live ?? change.planned;
  }
  const strategy = stagesOf(change, changes, options.strategy);
  if (strategy !== undefined) {
    return stage(change, changes, { ...options, strategy }, begun);
  }
  if (runsImage(change)) await options.trial?.(change);
  begun.push(change);
  const { force, signal } = options;
  const object = await options.client.apply(change.manifest.object, { dryRun: false, force }, signal);
  options.log.info(`${change.action === 'create' ? 'Created' : 'Updated'} ${describe(refOf(object))}`);
  // What a release that was killed, or was not to be taken back, has left.
  if (object.kind === 'StatefulSet' && change.action === 'update') await removeStuckPods(object, options);
  return object;
}

/** Services that a switch of users, this release's or an interrupted one's, has pinned to one template. */
function pinnedServices(begun: readonly Change[], strategy: Strategy): Change[] {
  const services = begun.filter((change) => change.planned.kind === 'Service' && change.live !== undefined);
  return services.filter((change) => strategy.kind === 'blueGreen' || pinOf(change.live) !== undefined);
}

async function putBack<T>(begun: readonly Change[], options: ReleaseOptions<T>): Promise<boolean> {
  const { client, log, rollbackOnFailure } = options;
  if (begun.length === 0) {
    log.info('Nothing was changed.');
    return false;
  }
  if (!rollbackOnFailure) {
    log.info("The failed state stays, as 'rollbackOnFailure: false' asks.");
    return false;
  }
  const { removeOnFailure, rolloutTimeoutMs, signal } = options;
  return restore(begun, { client, log, removeOnFailure, timeoutMs: signal.aborted ? 0 : rolloutTimeoutMs });
}

async function failed<T>(
  error: unknown,
  begun: readonly Change[],
  options: ReleaseOptions<T>,
): Promise<ReleaseOutcome<T>> {
  const diagnosis = error instanceof DiagnosedFailure ? error.diagnosis : undefined;
  if (diagnosis !== undefined) tell(diagnosis, options.log);
  const isSuperseded = diagnosis?.error.code === 'ROLLOUT_SUPERSEDED';
  if (isSuperseded) options.log.info('Nothing is rolled back: the state is that of another release now.');
  const rolledBack = isSuperseded ? false : await putBack(begun, options);
  return {
    state: 'failed',
    error: diagnosis?.error ?? error,
    rolledBack,
    begun: begun.length > 0,
    ...(diagnosis === undefined ? {} : { diagnosis }),
  };
}

/** A route that an interrupted canary has left divided is put right before the pods behind it change. */
async function settleRoutes<T>(
  changes: readonly Change<PinnedManifest>[],
  { client, signal }: ReleaseOptions<T>,
  begun: Change[],
): Promise<void> {
  for (const route of changes.filter(({ live }) => hasShare(live))) {
    begun.push(route);
    await putRouteBack(client, route.manifest.object, signal);
  }
}

/**
 * Applies the changes, watches the workloads (unchanged ones too) until they are available, and verifies. After
 * a failure or a cancellation the state before is put back.
 */
export async function release<T>(
  changes: readonly Change<PinnedManifest>[],
  options: ReleaseOptions<T>,
): Promise<ReleaseOutcome<T>> {
  const begun: Change[] = [];
  try {
    await settleRoutes(changes, options, begun);
    const isGated = options.trial !== undefined || options.strategy.kind !== 'rolling';
    const applied = await applyInBatches(
      changes,
      (change) => isGated && change.manifest.runsImage,
      (change) => applyOne(change, changes, options, begun),
    );
    if (options.hold && applied.some((object) => heldState(object) === 'verified')) {
      return { state: 'held', live: applied };
    }
    const workloads = applied.filter((object) => rolloutKinds.includes(object.kind));
    const rolled = await rollOut(workloads, options);
    await unpin(pinnedServices(begun, options.strategy), options);
    await removeCanaries(begun, options);
    const live = applied.map((object) => rolled.find((one) => refMatches(one, object)) ?? object);
    return { state: 'released', live, verified: await options.verify(live) };
  } catch (error) {
    return failed(options.signal.aborted ? options.signal.reason : error, begun, options);
  }
}

function refMatches(a: KubeObject, b: KubeObject): boolean {
  return describe(refOf(a)) === describe(refOf(b));
}
