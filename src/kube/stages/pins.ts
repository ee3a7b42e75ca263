import { DeliveryError } from '../../errors.ts';
import { describe, type KubeObject, refOf } from '../objects/objects.ts';
import { selectorText } from '../objects/workloadState.ts';
import type { Change } from '../plan/plan.ts';
import { pinnedTo, serves, servingHash } from './hold.ts';
import { type Applying, applyStage as apply, type StageOptions } from './stageOptions.ts';

/** A workload that users are switched to, with the Services that send them. */
export interface Switch {
  readonly workload: KubeObject;
  readonly services: readonly Change[];
  readonly from: string;
}

/** Finds the pods that serve now, by the Services that send users to them. Throws STRATEGY_IMPOSSIBLE. */
export async function startSwitch(
  change: Change,
  services: readonly Change[],
  options: StageOptions,
): Promise<Switch> {
  const workload = change.live ?? change.planned;
  const own = services.filter((service) => serves(service.planned, change.planned));
  const { namespace = 'default' } = workload.metadata;
  const labelSelector = selectorText((workload['spec'] as { selector: object }).selector);
  const sets = { apiVersion: 'apps/v1', kind: 'ReplicaSet', namespace, labelSelector };
  const { items } = await options.client.list(sets, options.signal);
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

/** Takes the pins off the Services again, once no former pod is left that they could send users to. */
export async function unpin(services: readonly Change[], options: Applying): Promise<void> {
  for (const service of services) await apply(service.manifest.object, options);
}
