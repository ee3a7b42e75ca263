import type { Deployment, ReplicaSet } from 'kubernetes-types/apps/v1.d.ts';
import type { Service } from 'kubernetes-types/core/v1.d.ts';
import { DeliveryError } from '../../errors.ts';
import { describe, isRecord, type KubeObject, refOf } from '../objects/objects.ts';
import { podTemplate } from '../objects/workload.ts';
import { hashLabel } from '../objects/workloadState.ts';

/** How new pods take over from old ones. */
export type Strategy =
  | { readonly kind: 'rolling' }
  /** All new pods beside all old ones, then users are switched at once. */
  | {
      readonly kind: 'blueGreen';
      /** Milliseconds that the old ones are kept after the switch, to switch back to. */
      readonly keepMs: number;
    }
  /** A part of the users first, then a larger one; each step is watched for a time. */
  | {
      readonly kind: 'canary';
      readonly percents: readonly number[];
      readonly durationMs: number;
      readonly traffic: 'auto' | 'replicas' | 'weights';
    };

/**
 * Thirty years, longer than any approval is waited for: until they are over no new pod counts as available, so no old
 * one goes. Twice as many still fit into the API's 32-bit numbers.
 */
const heldSeconds = 1_000_000_000;

/** The pods that a Deployment wants; as planned, an autoscaler's number where it owns it. */
export function replicasOf(workload: KubeObject): number {
  return (workload as Deployment).spec?.replicas ?? 1;
}

/** How long a pod has to be ready before the manifest counts it as available, in milliseconds. */
export function minReadyMs(workload: KubeObject): number {
  return ((workload as Deployment).spec?.minReadySeconds ?? 0) * 1000;
}

/** New pods that a percentage means: at least one, rounded up. */
export function podsFor(workload: KubeObject, percent: number): number {
  const replicas = replicasOf(workload);
  return Math.min(replicas, Math.max(1, Math.ceil((replicas * percent) / 100)));
}

/** New pods of each step of a canary; steps that mean the same pods are one. */
export function canaryPods(workload: KubeObject, percents: readonly number[]): number[] {
  const pods = percents.map((percent) => podsFor(workload, percent));
  return [...new Set(pods)].sort((a, b) => a - b);
}

/**
 * The manifest with its rollout held: this many new pods come up beside the old ones and become ready, but none of them
 * counts as available, so the Deployment's controller removes no old pod. One Deployment stays one Deployment:
 * its name, history, autoscaler and disruption budget go on as they were.
 */
export function held(manifest: KubeObject, pods: number): KubeObject {
  const spec = isRecord(manifest['spec']) ? manifest['spec'] : {};
  return {
    ...manifest,
    spec: {
      ...spec,
      minReadySeconds: heldSeconds,
      progressDeadlineSeconds: 2 * heldSeconds,
      strategy: {
        type: 'RollingUpdate',
        rollingUpdate: { maxUnavailable: 0, maxSurge: pods },
      },
    },
  };
}

/** True for a Deployment with pods to hold back; throws STRATEGY_IMPOSSIBLE for one that replaces all at once. */
export function canHold(planned: KubeObject, strategy: Strategy): boolean {
  if (strategy.kind === 'rolling' || planned.kind !== 'Deployment' || replicasOf(planned) === 0) return false;
  if ((planned as Deployment).spec?.strategy?.type !== 'Recreate') return true;
  throw new DeliveryError({
    code: 'STRATEGY_IMPOSSIBLE',
    side: 'input',
    message: `${describe(refOf(planned))} has the strategy 'Recreate', which never runs old and new pods together.`,
    remedy: "Remove 'spec.strategy' from the manifest, or use 'strategy: rolling'.",
  });
}

/** True when the Service selects the workload's pods. */
export function serves(service: KubeObject, workload: KubeObject): boolean {
  if (service.kind !== 'Service' || service.metadata.namespace !== workload.metadata.namespace) return false;
  const selector = Object.entries((service as Service).spec?.selector ?? {});
  const labels = podTemplate(workload)?.metadata?.labels ?? {};
  const own = selector.filter(([name]) => name !== hashLabel);
  return own.length > 0 && own.every(([name, value]) => labels[name] === value);
}

/** The Service with its users sent to the pods of one template only. */
export function pinnedTo(service: KubeObject, hash: string): KubeObject {
  const spec = isRecord(service['spec']) ? service['spec'] : {};
  const selector = isRecord(spec['selector']) ? spec['selector'] : {};
  return { ...service, spec: { ...spec, selector: { ...selector, [hashLabel]: hash } } };
}

/** The template that an interrupted release has pinned the live Service to. */
export function pinOf(service: KubeObject | undefined): string | undefined {
  return (service as Service | undefined)?.spec?.selector?.[hashLabel];
}

/** The template hash that users are served by: a pin that an interrupted release left, else the most ready pods'. */
export function servingHash(
  service: KubeObject | undefined,
  workload: KubeObject,
  replicaSets: readonly KubeObject[],
): string | undefined {
  const pin = pinOf(service);
  if (pin !== undefined) return pin;
  const own = replicaSets.filter((set) =>
    set.metadata.ownerReferences?.some((owner) => owner.uid === workload.metadata.uid),
  );
  const ready = (set: KubeObject): number => (set as ReplicaSet).status?.readyReplicas ?? 0;
  const [best] = [...own].sort((a, b) => ready(b) - ready(a));
  return best?.metadata.labels?.[hashLabel];
}
