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

function at(object: KubeObject, path: readonly string[]): unknown {
  return path.reduce<unknown>((value, step) => (isRecord(value) ? value[step] : undefined), object);
}

/**
 * Where the object keeps its pods' template. A custom resource with containers below `spec.template.spec`, as an
 * Argo Rollout has them, is like a Deployment here.
 */
function pathOf(object: KubeObject): readonly string[] | undefined {
  if (object.kind === 'Pod') return [];
  const containers = at(object, ['spec', 'template', 'spec', 'containers']);
  return templatePaths[object.kind] ?? (Array.isArray(containers) ? ['spec', 'template'] : undefined);
}

/** True for what runs images, a bare Pod included. */
export function runsPods(object: KubeObject): boolean {
  return pathOf(object) !== undefined;
}

function changeAt(value: unknown, path: readonly string[], change: (part: unknown) => unknown): unknown {
  const [step, ...rest] = path;
  if (step === undefined) return change(value);
  const record = isRecord(value) ? value : {};
  return { ...record, [step]: changeAt(record[step], rest, change) };
}

/** The object's pod template (a Pod is its own); undefined for kinds without pods. */
export function podTemplate(object: KubeObject): PodTemplateSpec | undefined {
  const path = pathOf(object);
  const found = path === undefined ? undefined : at(object, path);
  return isRecord(found) ? (found as PodTemplateSpec) : undefined;
}

/** A copy of the object with its pod template changed. */
export function withPodTemplate(
  object: KubeObject,
  change: (template: PodTemplateSpec) => PodTemplateSpec,
): KubeObject {
  const path = pathOf(object);
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
