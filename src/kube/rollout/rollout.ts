import type { Deployment } from 'kubernetes-types/apps/v1.d.ts';
import type { Pod } from 'kubernetes-types/core/v1.d.ts';
import type { Collection } from '../api/client.ts';
import type { Seen } from '../api/watchUntil.ts';
import type { KubeObject } from '../objects/objects.ts';
import { isReady, type PodTrouble, podTrouble, waitingFor } from '../objects/podState.ts';
import { containersOf, podTemplate } from '../objects/workload.ts';
import { newPods, newReplicaSet, selectorText, workloadState } from '../objects/workloadState.ts';

/** Why a rollout did not come to its end. */
export interface RolloutProblem {
  readonly kind: PodTrouble['kind'] | 'blocked' | 'deadline' | 'deleted' | 'superseded' | 'flapping';
  /** One sentence, without the workload's name. */
  readonly message: string;
  /** The pod to look at, where there is one. */
  readonly pod?: Pod;
  readonly container?: string;
}

/** How a watched rollout ended, with the workload as it then was. */
export type RolloutOutcome =
  | { readonly state: 'complete'; readonly workload: KubeObject }
  | { readonly state: 'failed'; readonly workload: KubeObject; readonly problem: RolloutProblem };

/** All that is seen of one rollout. */
export interface View {
  readonly workload: KubeObject | undefined;
  readonly replicaSets: readonly KubeObject[];
  readonly pods: readonly KubeObject[];
}

/** What the cluster says when it will create no more pods, however long one waits; a webhook that is out may come back. */
export const hopeless = /exceeded quota|forbidden|is invalid|denied (the )?request/i;

/**
 * A quota's refusal that may pass by itself: former pods that end give their room back, and so may those that are
 * missing to the number wanted. The controller tries again, at growing intervals.
 */
export function passingRefusal({ workload, pods }: View): string | undefined {
  const state = workload === undefined ? undefined : workloadState(workload);
  if (state?.blocked === undefined || !/exceeded quota/i.test(state.blocked)) return undefined;
  const staying = pods.filter((pod) => pod.metadata.deletionTimestamp === undefined).length;
  return staying < pods.length || staying < state.wanted ? state.blocked : undefined;
}

/** The problem of a workload whose pods are not even created. */
export function refusedProblem(refusal: string): RolloutProblem {
  return { kind: 'blocked', message: `the cluster creates no more pods: ${refusal}` };
}

/** The problem that ends this rollout now; undefined while there is still hope. */
export function terminalProblem(view: View): RolloutProblem | undefined {
  if (view.workload === undefined) return { kind: 'deleted', message: 'it was deleted while it rolled out' };
  const { blocked } = workloadState(view.workload);
  if (blocked !== undefined && hopeless.test(blocked) && passingRefusal(view) === undefined) {
    return refusedProblem(blocked);
  }
  return worstPod(view, (trouble) => trouble.terminal);
}

/** The pods of the workload's newest template. */
export function podsUnderWay({ workload, replicaSets, pods }: View): Pod[] {
  return workload === undefined ? [] : newPods(workload, replicaSets, pods);
}

function worstPod(view: View, accept: (trouble: PodTrouble) => boolean): RolloutProblem | undefined {
  for (const pod of podsUnderWay(view)) {
    const trouble = podTrouble(pod);
    if (trouble !== undefined && accept(trouble)) {
      const { kind, message, container } = trouble;
      return { kind, message, pod, ...(container === undefined ? {} : { container }) };
    }
  }
  return undefined;
}

/** What it still waited for when its time was over. */
export function deadlineProblem(view: View, seconds: number): RolloutProblem {
  const time = `it was not ready within ${seconds} s`;
  const worst = worstPod(view, () => true);
  if (worst !== undefined) return { ...worst, message: `${time}: ${worst.message}` };
  const pod = podsUnderWay(view).find((one) => !isReady(one));
  const blocked = view.workload === undefined ? undefined : workloadState(view.workload).blocked;
  const why =
    blocked ?? (pod === undefined ? 'no new pod appeared' : `${pod.metadata?.name} is ${waitingFor(pod)}`);
  return { kind: 'deadline', message: `${time}: ${why}`, ...(pod === undefined ? {} : { pod }) };
}

/** How many pods wait for what, for example `2 waiting for a node, 1 running, not ready yet`. */
function waits(pods: readonly Pod[]): string {
  const counts = new Map<string, number>();
  for (const what of pods.map(waitingFor)) {
    if (what !== undefined) counts.set(what, (counts.get(what) ?? 0) + 1);
  }
  return [...counts].map(([what, count]) => `${count} ${what}`).join('; ');
}

/** One line about the rollout, the same while nothing changes. */
export function progressLine(view: View): string {
  const { workload, replicaSets } = view;
  if (workload === undefined) return 'gone';
  if (workload.kind === 'Deployment' && newReplicaSet(workload, replicaSets) === undefined) return 'begins';
  const { wanted } = workloadState(workload);
  const pods = newPods(workload, replicaSets, view.pods);
  const ready = pods.filter(isReady).length;
  const staying = view.pods.filter((pod) => pod.metadata.deletionTimestamp === undefined);
  const old = staying.filter((pod) => !pods.some((one) => one.metadata?.uid === pod.metadata.uid)).length;
  const serving = old > 0 ? `, ${old} older still serving` : '';
  const waiting = waits(pods);
  return `${ready} of ${wanted} new pods ready${serving}${waiting === '' ? '' : ` (${waiting})`}`;
}

/** What is watched of a workload: itself, its pods, and a Deployment's ReplicaSets. */
export function collections(workload: KubeObject): Collection[] {
  const { apiVersion, kind, metadata } = workload;
  const namespace = metadata.namespace ?? 'default';
  const labelSelector = selectorText((workload as Deployment).spec?.selector);
  return [
    { apiVersion, kind, namespace, fieldSelector: `metadata.name=${metadata.name}` },
    { apiVersion: 'v1', kind: 'Pod', namespace, labelSelector },
    ...(kind === 'Deployment'
      ? [{ apiVersion: 'apps/v1', kind: 'ReplicaSet', namespace, labelSelector }]
      : []),
  ];
}

/** The view in what is seen of {@link collections}. */
export function toView([workloads, pods, replicaSets]: Seen): View {
  return { workload: workloads?.[0], pods: pods ?? [], replicaSets: replicaSets ?? [] };
}

function images(workload: KubeObject): string {
  return containersOf(podTemplate(workload)?.spec)
    .map((container) => `${container.name}=${container.image}`)
    .join(' ');
}

/** Another release that came in between must be neither taken for this one nor rolled back. */
function supersededBy(workload: KubeObject, applied: KubeObject): RolloutProblem | undefined {
  if (images(workload) === images(applied)) return undefined;
  const message = `somebody else has changed its images meanwhile: ${images(workload)}`;
  return { kind: 'superseded', message };
}

/** How the rollout of `last` ended, if it did; `last` is what was applied. */
export function outcomeOf(view: View, last: KubeObject): RolloutOutcome | undefined {
  const superseded = view.workload === undefined ? undefined : supersededBy(view.workload, last);
  if (superseded !== undefined) {
    return { state: 'failed', workload: view.workload ?? last, problem: superseded };
  }
  if (view.workload !== undefined && workloadState(view.workload).complete) {
    return { state: 'complete', workload: view.workload };
  }
  const problem = terminalProblem(view);
  return problem === undefined ? undefined : { state: 'failed', workload: view.workload ?? last, problem };
}
