import { isDeepStrictEqual } from 'node:util';
import type { DaemonSet, Deployment, ReplicaSet, StatefulSet } from 'kubernetes-types/apps/v1.d.ts';
import type { Pod } from 'kubernetes-types/core/v1.d.ts';
import type { LabelSelector } from 'kubernetes-types/meta/v1.d.ts';
import type { KubeObject } from './objects.ts';

/** How far a workload's rollout has come. */
export interface WorkloadState {
  /** Every pod wanted runs the newest template and is available, and no older pod is left. */
  readonly complete: boolean;
  readonly wanted: number;
  /** Pods of the newest template that are available. */
  readonly available: number;
  /** A refusal to create pods at all, for example by a quota, in the API server's words. */
  readonly blocked?: string;
}

/** What a Deployment's controller adds to the labels of each template's pods. */
export const hashLabel = 'pod-template-hash';

/** The same of a StatefulSet's. */
export const revisionLabel = 'controller-revision-hash';

const revisionAnnotation = 'deployment.kubernetes.io/revision';

function observed(object: KubeObject, observedGeneration: number | undefined): boolean {
  return (observedGeneration ?? 0) >= (object.metadata.generation ?? 0);
}

function deploymentState(object: KubeObject): WorkloadState {
  const { spec, status } = object as Deployment;
  const wanted = spec?.replicas ?? 1;
  const updated = status?.updatedReplicas ?? 0;
  const isCurrent = observed(object, status?.observedGeneration);
  const blocked = status?.conditions?.find((one) => one.type === 'ReplicaFailure' && one.status === 'True');
  const onlyNew = updated >= wanted && (status?.replicas ?? 0) <= updated;
  return {
    complete: isCurrent && onlyNew && (status?.availableReplicas ?? 0) >= updated,
    wanted,
    available: isCurrent && onlyNew ? Math.min(status?.availableReplicas ?? 0, wanted) : 0,
    ...(isCurrent && blocked?.message !== undefined ? { blocked: blocked.message } : {}),
  };
}

function statefulSetState(object: KubeObject): WorkloadState {
  const { spec, status } = object as StatefulSet;
  const wanted = spec?.replicas ?? 1;
  const isCurrent = observed(object, status?.observedGeneration);
  const updated =
    status?.updateRevision === status?.currentRevision ? wanted : (status?.updatedReplicas ?? 0);
  const available = status?.availableReplicas ?? status?.readyReplicas ?? 0;
  return { complete: isCurrent && updated >= wanted && available >= wanted, wanted, available };
}

function daemonSetState(object: KubeObject): WorkloadState {
  const { status } = object as DaemonSet;
  const wanted = status?.desiredNumberScheduled ?? 0;
  const available = status?.numberAvailable ?? 0;
  const updated = status?.updatedNumberScheduled ?? 0;
  const isCurrent = observed(object, status?.observedGeneration);
  return { complete: isCurrent && updated >= wanted && available >= wanted, wanted, available };
}

/** The state that a live workload reports. Sources: the rollout conditions of `kubectl rollout status`. */
export function workloadState(object: KubeObject): WorkloadState {
  if (object.kind === 'Deployment') return deploymentState(object);
  if (object.kind === 'StatefulSet') return statefulSetState(object);
  return daemonSetState(object);
}

/** The revision's number as `kubectl rollout history` shows it; empty for kinds without one. */
export function revisionOf(object: KubeObject): string {
  return object.metadata.annotations?.[revisionAnnotation] ?? '';
}

function templateOf(set: KubeObject): unknown {
  const template = (set as ReplicaSet).spec?.template;
  const { [hashLabel]: _hash, ...labels } = template?.metadata?.labels ?? {};
  return { ...template, metadata: { ...template?.metadata, labels } };
}

/**
 * The ReplicaSet that holds a Deployment's newest pods, once the controller has seen the newest template: the oldest
 * one of the same template, which is the controller's own rule. The revision is no guide: of a template that ran
 * before, the Deployment still tells the revision of the former one for a moment.
 * Source: FindNewReplicaSet in k8s.io/kubernetes/pkg/controller/deployment/util.
 */
export function newReplicaSet(
  deployment: KubeObject,
  replicaSets: readonly KubeObject[],
): KubeObject | undefined {
  const { status } = deployment as Deployment;
  if (!observed(deployment, status?.observedGeneration)) return undefined;
  return replicaSetOf(deployment, deployment.metadata.uid, replicaSets);
}

/** The ReplicaSet of the template that a Deployment, or a snapshot of it, has; `uid` is that of the live Deployment. */
export function replicaSetOf(
  deployment: KubeObject,
  uid: string | undefined,
  replicaSets: readonly KubeObject[],
): KubeObject | undefined {
  const template = templateOf(deployment);
  const born = (set: KubeObject): string => set.metadata.creationTimestamp ?? '';
  return replicaSets
    .filter((set) => ownedBy(set, uid) && isDeepStrictEqual(templateOf(set), template))
    .sort((a, b) => born(a).localeCompare(born(b)))[0];
}

function ownedBy(object: KubeObject, uid: string | undefined): boolean {
  return object.metadata.ownerReferences?.some((owner) => owner.uid === uid) === true;
}

/**
 * The pods that run the workload's newest template and are to stay: a pod that is ending goes on reporting that it is
 * ready, and users who are sent to it alone meet a dead address seconds later.
 */
export function newPods(
  workload: KubeObject,
  replicaSets: readonly KubeObject[],
  pods: readonly KubeObject[],
): Pod[] {
  const staying = pods.filter((pod) => pod.metadata.deletionTimestamp === undefined);
  if (workload.kind === 'Deployment') {
    const set = newReplicaSet(workload, replicaSets);
    return set === undefined ? [] : (staying.filter((pod) => ownedBy(pod, set.metadata.uid)) as Pod[]);
  }
  const own = staying.filter((pod) => ownedBy(pod, workload.metadata.uid));
  const [label, wanted] =
    workload.kind === 'StatefulSet'
      ? [revisionLabel, (workload as StatefulSet).status?.updateRevision]
      : [
          'pod-template-generation',
          workload.metadata.annotations?.['deprecated.daemonset.template.generation'],
        ];
  return own.filter((pod) => pod.metadata.labels?.[label] === wanted) as Pod[];
}

/** A label selector as a list request's parameter writes it. */
export function selectorText(selector: LabelSelector | undefined): string {
  const equal = Object.entries(selector?.matchLabels ?? {}).map(([name, value]) => `${name}=${value}`);
  const terms = (selector?.matchExpressions ?? []).map(({ key, operator, values }) => {
    if (operator === 'Exists') return key;
    if (operator === 'DoesNotExist') return `!${key}`;
    return `${key} ${operator === 'In' ? 'in' : 'notin'} (${(values ?? []).join(',')})`;
  });
  return [...equal, ...terms].join(',');
}
