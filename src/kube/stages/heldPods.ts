import type { Pod } from 'kubernetes-types/core/v1.d.ts';
import { type Seen, watchUntil } from '../api/watchUntil.ts';
import type { KubeObject, ObjectRef } from '../objects/objects.ts';
import { isReady } from '../objects/podState.ts';
import { DiagnosedFailure, diagnose } from '../rollout/diagnosis.ts';
import { watchHoping } from '../rollout/hope.ts';
import {
  collections,
  deadlineProblem,
  passingRefusal,
  podsUnderWay,
  type RolloutProblem,
  terminalProblem,
  toView,
  type View,
} from '../rollout/rollout.ts';
import type { StageOptions } from './stageOptions.ts';

/** The ready pods of a held rollout: of its new template, and of the former ones. */
export interface HeldPods {
  readonly fresh: readonly Pod[];
  readonly stable: readonly Pod[];
}

async function fail(workload: KubeObject, problem: RolloutProblem, options: StageOptions): Promise<never> {
  throw new DiagnosedFailure(await diagnose(options.client, workload, problem, options.signal));
}

function readyPods(view: View): HeldPods {
  if (view.workload === undefined) return { fresh: [], stable: [] };
  const fresh = podsUnderWay(view);
  const uids = new Set(fresh.map((pod) => pod.metadata?.uid));
  const others = (view.pods as readonly Pod[]).filter((pod) => !uids.has(pod.metadata?.uid));
  return { fresh: fresh.filter(isReady), stable: others.filter(serves) };
}

function serves(pod: Pod): boolean {
  return isReady(pod) && pod.metadata?.deletionTimestamp === undefined;
}

/** Waits until the held rollout has this many new pods ready. Throws DiagnosedFailure. */
export async function waitHeld(
  workload: KubeObject,
  wanted: number,
  options: StageOptions,
): Promise<HeldPods> {
  const { client, log, signal, rolloutTimeoutMs: timeoutMs } = options;
  let view = toView([]);
  const look = (now: Seen): { problem: RolloutProblem } | { pods: HeldPods } | undefined => {
    view = toView(now);
    const problem = terminalProblem(view);
    if (problem !== undefined) return { problem };
    const pods = readyPods(view);
    return pods.fresh.length >= wanted ? { pods } : undefined;
  };
  const waiting = () => [{ workload, pods: podsUnderWay(view), refusal: passingRefusal(view) }];
  const watching = { timeoutMs, signal, log };
  const { answer, hopeless } = await watchHoping(client, collections(workload), watching, look, waiting);
  if (answer !== undefined && 'pods' in answer) return answer.pods;
  const problem = answer?.problem ?? hopeless?.problem ?? deadlineProblem(view, Math.round(timeoutMs / 1000));
  return fail(workload, problem, options);
}

function restarts(pod: Pod): number {
  return (pod.status?.containerStatuses ?? []).reduce((sum, status) => sum + status.restartCount, 0);
}

function lapse(view: View, wanted: number): RolloutProblem | undefined {
  const problem = terminalProblem(view);
  if (problem !== undefined || view.workload === undefined) return problem;
  const pods = podsUnderWay(view);
  const restarted = pods.find((pod) => restarts(pod) > 0);
  if (restarted !== undefined) {
    return { kind: 'crash', message: 'a canary pod was restarted while it was watched', pod: restarted };
  }
  if (pods.filter(isReady).length >= wanted) return undefined;
  const pod = pods.find((one) => !isReady(one));
  const message = 'a canary pod stopped being ready while it was watched';
  return { kind: 'flapping', message, ...(pod === undefined ? {} : { pod }) };
}

/** Watches new pods in front of users for a time: a restart or a lost readiness fails them. */
export async function observePods(
  workload: KubeObject,
  wanted: number,
  durationMs: number,
  options: StageOptions,
): Promise<void> {
  const watching = { timeoutMs: durationMs, signal: options.signal };
  const { answer } = await watchUntil(options.client, collections(workload), watching, (now) =>
    lapse(toView(now), wanted),
  );
  if (answer !== undefined) await fail(workload, answer, options);
}

/** The API server's lists leave a pod's kind and version out. */
export function podRef(pod: Pod): ObjectRef {
  const { name = '', namespace = 'default' } = pod.metadata ?? {};
  return { apiVersion: 'v1', kind: 'Pod', name, namespace };
}

/** Puts the new pods to the test that was asked for. */
export async function testPods(pods: HeldPods, workload: KubeObject, options: StageOptions): Promise<void> {
  const [fresh, stable] = [pods.fresh.map(podRef), pods.stable.map(podRef)];
  if (fresh.length > 0) await options.verifyPods?.({ fresh, stable }, workload);
}
