import type { Pod } from 'kubernetes-types/core/v1.d.ts';
import { eventTime } from '../api/events.ts';
import type { KubeObject } from '../objects/objects.ts';
import { type Quantities, totalRequests } from '../objects/quantities.ts';

/** Reasons of the scheduler that neither time nor other pods' end can change. */
const lastingReasons = [
  /didn't match Pod's node affinity\/selector/,
  /didn't match PersistentVolume's node affinity/,
  /had untolerated taint/,
  /didn't match the requested node name/,
];
/** Taints that come and go with a node's health or its start. */
const passingTaint =
  /node\.kubernetes\.io\/|node\.cloudprovider\.kubernetes\.io\/|node\.cilium\.io\/|startup/;

/** What the autoscaler says when no node that it could add would take the pod. */
const lastingRefusals = [
  /didn't match Pod's node affinity\/selector/,
  /had untolerated taint/,
  /Insufficient /,
  /wouldn't fit/,
];

/** The parts of `0/3 nodes are available: 1 …, 2 …. no new claims to deallocate, preemption: …`, without their counts. */
function reasonsIn(message: string): string[] {
  const text = /: (.*?)(?:\. |\.?$)/s.exec(message)?.[1] ?? '';
  // A taint's value may have commas in its braces.
  return text
    .split(/, (?=\d+ )/)
    .map((part) => part.replace(/^\d+ /, '').trim())
    .filter((part) => part !== '');
}

function lasts(reason: string, wanted: Quantities, largest: Quantities | undefined): boolean {
  if (lastingReasons.some((one) => one.test(reason))) return !passingTaint.test(reason);
  const resource = /^Insufficient (\S+)$/.exec(reason)?.[1];
  if (resource === undefined || largest === undefined) return false;
  return (wanted.get(resource) ?? 0) > (largest.get(resource) ?? 0);
}

/** The scheduler's words for a pod that it finds no node for; undefined for all others. */
export function unschedulable(pod: Pod): string | undefined {
  const condition = pod.status?.conditions?.find((one) => one.type === 'PodScheduled');
  const isRefused = condition?.status === 'False' && condition.reason === 'Unschedulable';
  return isRefused ? (condition.message ?? '') : undefined;
}

/**
 * True when every node refuses the pod for a reason that stays: what it asks for is not on them, not only taken.
 * `largest` has the most that any node offers of each resource; undefined where nodes may not be listed.
 */
export function isRefusedForGood(pod: Pod, largest: Quantities | undefined): boolean {
  const message = unschedulable(pod);
  if (message === undefined) return false;
  const reasons = reasonsIn(message);
  const wanted = totalRequests(pod);
  return reasons.length > 0 && reasons.every((reason) => lasts(reason, wanted, largest));
}

/** What an autoscaler does for a pod, by the pod's events: of cluster-autoscaler, and of Karpenter (node auto-provisioning). */
export type ScaleUp = 'coming' | 'refused' | 'undecided' | 'silent';

/** The last word of an autoscaler counts. */
export function scaleUpOf(events: readonly KubeObject[]): ScaleUp {
  const spoken = events.filter(({ reason }) =>
    ['TriggeredScaleUp', 'NotTriggerScaleUp', 'Nominated'].includes(String(reason)),
  );
  const last = spoken.sort((a, b) => eventTime(a).localeCompare(eventTime(b))).at(-1);
  if (last === undefined) return 'silent';
  if (last['reason'] !== 'NotTriggerScaleUp') return 'coming';
  const reasons = reasonsIn(String(last['message'] ?? ''));
  const isLasting = (one: string): boolean => lastingRefusals.some((pattern) => pattern.test(one));
  return reasons.length > 0 && reasons.every(isLasting) ? 'refused' : 'undecided';
}
