import { setTimeout as sleep } from 'node:timers/promises';
import type { Service } from 'kubernetes-types/core/v1.d.ts';
import { DeliveryError } from '../../errors.ts';
import type { Log } from '../../host/host.ts';
import type { KubeClient } from '../api/client.ts';
import { watchUntil } from '../api/watchUntil.ts';
import { describe, isRecord, type KubeObject, refOf } from '../objects/objects.ts';
import type { Change } from '../plan/plan.ts';
import { isOurs } from '../plan/removal.ts';
import { pinnedTo } from './hold.ts';
import { canaryNameOf } from './httpRoute.ts';
import { applyStage, type StageOptions } from './stageOptions.ts';

const nodesMs = 2000;
/** Marks a Service as made for a canary, with the name of the Service beside which it stands. */
const label = 'model-delivery/canary-of';

/** A Service like this one, inside the cluster only, for the pods of one template. */
export function canaryService(stable: KubeObject, hash: string): KubeObject {
  const { spec } = stable as Service;
  const { name, namespace } = stable.metadata;
  const ports = (spec?.ports ?? []).map(({ nodePort: _nodePort, ...port }) => port);
  const service = {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: {
      name: canaryNameOf(name),
      ...(namespace === undefined ? {} : { namespace }),
      labels: { [label]: name },
    },
    spec: { selector: spec?.selector ?? {}, ports },
  };
  return pinnedTo(service, hash);
}

function isCanaryOf(found: KubeObject, stable: KubeObject): boolean {
  return found.metadata.labels?.[label] === stable.metadata.name && isOurs(found);
}

function nameOf(stable: KubeObject): KubeObject {
  return { ...stable, metadata: { ...stable.metadata, name: canaryNameOf(stable.metadata.name) } };
}

/** Throws STRATEGY_IMPOSSIBLE when somebody else's Service has the name that a canary's needs. */
export async function checkCanaryName(stable: KubeObject, options: StageOptions): Promise<void> {
  const ref = refOf(nameOf(stable));
  const found = await options.client.get(ref, options.signal);
  if (found === undefined || isCanaryOf(found, stable)) return;
  throw new DeliveryError({
    code: 'STRATEGY_IMPOSSIBLE',
    side: 'cluster',
    message: `A canary by weights needs a Service of the name of ${describe(ref)}, which is somebody else's.`,
    remedy: "Rename that Service, or set 'canaryTraffic: replicas'.",
  });
}

/** Endpoints that take requests, in the slices of one Service. */
function readyEndpoints(slices: readonly KubeObject[]): number {
  const endpoints = slices.flatMap((slice) => (Array.isArray(slice['endpoints']) ? slice['endpoints'] : []));
  return endpoints.filter(
    (one) => isRecord(one) && isRecord(one['conditions']) && one['conditions']['ready'] === true,
  ).length;
}

/** Makes the canary's Service and waits until it has this many pods to send requests to. */
export async function openCanary(
  stable: KubeObject,
  hash: string,
  wanted: number,
  options: StageOptions,
): Promise<void> {
  const service = await applyStage(canaryService(stable, hash), options);
  const { name, namespace = 'default' } = service.metadata;
  const slices = {
    ...{ apiVersion: 'discovery.k8s.io/v1', kind: 'EndpointSlice', namespace },
    labelSelector: `kubernetes.io/service-name=${name}`,
  };
  const waiting = { timeoutMs: options.rolloutTimeoutMs, signal: options.signal };
  const { answer } = await watchUntil(
    options.client,
    [slices],
    waiting,
    ([found]) => readyEndpoints(found ?? []) >= wanted || undefined,
  );
  // Every node's proxy learns of endpoints by itself; a request that is sent before is refused.
  if (answer === true) return sleep(nodesMs, undefined, { signal: options.signal });
  throw new DeliveryError({
    code: 'ROLLOUT_TIMEOUT',
    side: 'cluster',
    message: `${describe(refOf(service))} did not get its ${wanted} endpoints in time, although the pods are ready.`,
    remedy: "Look at the cluster's controller of EndpointSlices.",
  });
}

/** Removes the canaries' Services beside these, where there are any. */
export async function removeCanaries(
  changes: readonly Change[],
  { client, log, signal }: { readonly client: KubeClient; readonly log: Log; readonly signal: AbortSignal },
): Promise<void> {
  if (!changes.some((change) => change.planned.kind === 'HTTPRoute')) return;
  const services = changes.filter(({ planned, live }) => planned.kind === 'Service' && live !== undefined);
  for (const { planned } of services) {
    const found = await client.get(refOf(nameOf(planned)), signal);
    if (found === undefined || !isCanaryOf(found, planned)) continue;
    const { uid } = found.metadata;
    const options = { propagation: 'Background', ...(uid === undefined ? {} : { uid }) } as const;
    await client.remove(refOf(found), options, signal);
    log.info(`Removed ${describe(refOf(found))}`);
  }
}
