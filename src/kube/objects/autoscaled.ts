import { isRecord, type KubeObject } from './objects.ts';

/** The controller that carries out HorizontalPodAutoscalers, by its name in managedFields. */
const scaler = 'kube-controller-manager';

function ownsReplicas(fields: unknown): boolean {
  const spec = isRecord(fields) ? fields['f:spec'] : undefined;
  return isRecord(spec) && spec['f:replicas'] !== undefined;
}

/** True while an autoscaler has set the number of replicas: it writes the scale subresource. */
export function isAutoscaled(live: KubeObject): boolean {
  return (live.metadata.managedFields ?? []).some(
    (entry) => entry.manager === scaler && entry.subresource === 'scale' && ownsReplicas(entry.fieldsV1),
  );
}

/** The object without a number of replicas of its own. */
export function withoutReplicas(object: KubeObject): KubeObject {
  const { spec } = object;
  if (!isRecord(spec) || spec['replicas'] === undefined) return object;
  const { replicas: _replicas, ...rest } = spec;
  return { ...object, spec: rest };
}
