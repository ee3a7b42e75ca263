import type { Container, PodSpec, PodTemplateSpec } from 'kubernetes-types/core/v1.d.ts';
import { isRecord, type KubeObject } from './objects.ts';

/** Where each kind keeps its pods' template. */
const templatePaths: Readonly<Record<string, readonly string[]>> = {
  Deployment: ['spec', 'template'],
  StatefulSet: ['spec', 'template'],
  DaemonSet: ['spec', 'template'],
  ReplicaSet: ['spec', 'template'],
  Job: ['spec', 'template'],
  CronJob: ['spec', 'jobTemplate', 'spec', 'template'],
};

/** Kinds whose rollout is watched. */
export const rolloutKinds: readonly string[] = ['Deployment', 'StatefulSet', 'DaemonSet'];

/** Kinds that run images, a bare Pod included. */
export function runsPods(object: KubeObject): boolean {
  return object.kind === 'Pod' || templatePaths[object.kind] !== undefined;
}

function changeAt(value: unknown, path: readonly string[], change: (part: unknown) => unknown): unknown {
  const [step, ...rest] = path;
  if (step === undefined) return change(value);
  const record = isRecord(value) ? value : {};
  return { ...record, [step]: changeAt(record[step], rest, change) };
}

/** The object's pod template (a Pod is its own); undefined for kinds without pods. */
export function podTemplate(object: KubeObject): PodTemplateSpec | undefined {
  if (object.kind === 'Pod') return object as PodTemplateSpec;
  const path = templatePaths[object.kind];
  const found = path?.reduce<unknown>((value, step) => (isRecord(value) ? value[step] : undefined), object);
  return isRecord(found) ? (found as PodTemplateSpec) : undefined;
}

/** A copy of the object with its pod template changed. */
export function withPodTemplate(
  object: KubeObject,
  change: (template: PodTemplateSpec) => PodTemplateSpec,
): KubeObject {
  const path = object.kind === 'Pod' ? [] : templatePaths[object.kind];
  if (path === undefined || podTemplate(object) === undefined) return object;
  return changeAt(object, path, (template) => change(template as PodTemplateSpec)) as KubeObject;
}

/** Containers and init containers of a pod. */
export function containersOf(spec: PodSpec | undefined): Container[] {
  return [...(spec?.initContainers ?? []), ...(spec?.containers ?? [])];
}

/** A copy of the pod's specification with each container (init containers too) changed. */
export function withContainers(spec: PodSpec, change: (container: Container) => Container): PodSpec {
  return {
    ...spec,
    containers: spec.containers.map(change),
    ...(spec.initContainers === undefined ? {} : { initContainers: spec.initContainers.map(change) }),
  };
}
