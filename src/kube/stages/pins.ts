import type { ReplicaSet } from 'kubernetes-types/apps/v1.d.ts';
import { DeliveryError } from '../../errors.ts';
import type { Log } from '../../host/host.ts';
import type { KubeClient } from '../api/client.ts';
import { describe, type KubeObject, refOf } from '../objects/objects.ts';
import { hashLabel, replicaSetOf, selectorText } from '../objects/workloadState.ts';
import { type Change, restorable } from '../plan/plan.ts';
import { pinnedTo, pinOf, serves, servingHash } from './hold.ts';
import { type Applying, applyStage as apply, type StageOptions } from './stageOptions.ts';

/** A workload that users are switched to, with the Services that send them. */
export interface Switch {
  readonly workload: KubeObject;
  readonly services: readonly Change[];
  readonly from: string;
}

async function replicaSetsOf(
  workload: KubeObject,
  client: KubeClient,
  signal: AbortSignal,
): Promise<readonly KubeObject[]> {
  const { namespace = 'default' } = workload.metadata;
  const labelSelector = selectorText((workload['spec'] as { selector: object }).selector);
  const sets = { apiVersion: 'apps/v1', kind: 'ReplicaSet', namespace, labelSelector };
  return (await client.list(sets, signal)).items;
}

/** Finds the pods that serve now, by the Services that send users to them. Throws STRATEGY_IMPOSSIBLE. */
export async function startSwitch(
  change: Change,
  services: readonly Change[],
  options: StageOptions,
): Promise<Switch> {
  const workload = change.live ?? change.planned;
  const own = services.filter((service) => serves(service.planned, change.planned));
  const items = await replicaSetsOf(workload, options.client, options.signal);
  const from = servingHash(own[0]?.live, workload, items);
  if (own.length > 0 && from !== undefined) return { workload, services: own, from };
  throw new DeliveryError({
    code: 'STRATEGY_IMPOSSIBLE',
    side: 'input',
    message: `'strategy: ${options.strategy.kind}' finds no Service among the deployed objects that sends users to ${describe(refOf(workload))}.`,
    remedy: "Deploy the Service together with the Deployment, or use 'strategy: rolling'.",
  });
}

/** Sends the users of these Services to the pods of one template only. */
export async function sendTo(
  hash: string,
  to: Switch,
  options: StageOptions,
  signal?: AbortSignal,
): Promise<KubeObject[]> {
  const changed: KubeObject[] = [];
  for (const service of to.services) {
    changed.push(await apply(pinnedTo(service.manifest.object, hash), options, signal));
  }
  return changed;
}

function readyOf(set: KubeObject | undefined): number {
  return (set as ReplicaSet | undefined)?.status?.readyReplicas ?? 0;
}

/** The former pods' template where as many of them are ready as of the one that users are pinned to. */
async function formerHash(
  before: KubeObject,
  pin: string,
  client: KubeClient,
  signal: AbortSignal,
): Promise<string | undefined> {
  const workload = await client.get(refOf(before), signal);
  if (workload === undefined) return undefined;
  const items = await replicaSetsOf(workload, client, signal);
  const former = replicaSetOf(before, workload.metadata.uid, items);
  const pinned = items.find((set) => set.metadata.labels?.[hashLabel] === pin);
  const isThere = readyOf(former) > 0 && readyOf(former) >= readyOf(pinned);
  return isThere ? former?.metadata.labels?.[hashLabel] : undefined;
}

/**
 * Sends users back to the former pods of a release that failed after its switch, as long as these still are there;
 * `before` are the objects as they were. Nothing happens to Services that are not pinned, or whose former pods went.
 */
export async function sendBack(
  before: readonly KubeObject[],
  client: KubeClient,
  log: Log,
  signal: AbortSignal,
): Promise<void> {
  const workloads = before.filter((object) => object.kind === 'Deployment');
  for (const service of before.filter((object) => object.kind === 'Service')) {
    const workload = workloads.find((one) => serves(service, one));
    const pin = pinOf(await client.get(refOf(service), signal));
    if (workload === undefined || pin === undefined) continue;
    const hash = await formerHash(workload, pin, client, signal);
    if (hash === undefined || hash === pin) continue;
    await apply(pinnedTo(restorable(service, service), hash), { client, force: true, signal }, signal);
    log.info(`${describe(refOf(service))} sends users to the former pods again`);
  }
}

/** Takes the pins off the Services again, once no former pod is left that they could send users to. */
export async function unpin(services: readonly Change[], options: Applying): Promise<void> {
  for (const service of services) await apply(service.manifest.object, options);
}
