import type { Pod } from 'kubernetes-types/core/v1.d.ts';
import { DeliveryError } from '../errors.ts';
import { testPods, waitHeld } from './heldPods.ts';
import { held, pinnedTo, replicasOf, serves, servingHash } from './hold.ts';
import { describe, type KubeObject, refOf } from './objects.ts';
import type { Change } from './plan.ts';
import type { Right } from './preflight.ts';
import { applyStage as apply, marked, type StageOptions } from './stageOptions.ts';
import { hashLabel, selectorText } from './workloadState.ts';

/** The rights that a switch of users needs beyond those of the release. */
export function switchRights(namespace: string): Right[] {
  return [{ verb: 'patch', group: '', resource: 'services', namespace, required: true }];
}

const switchBackMs = 15_000;

/** A workload that users are switched to, with the Services that send them. */
interface Switch {
  readonly workload: KubeObject;
  readonly services: readonly Change[];
  readonly from: string;
}

async function startSwitch(
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
    message: `'strategy: blueGreen' finds no Service among the deployed objects that sends users to ${describe(refOf(workload))}.`,
    remedy: "Deploy the Service together with the Deployment, or use 'strategy: rolling'.",
  });
}

async function sendTo(
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

/** Sends users to the new pods and asks there; back to the old pods at once when it is not right. */
async function switchUsers(to: Switch, pods: readonly Pod[], options: StageOptions): Promise<void> {
  const hash = pods[0]?.metadata?.labels?.[hashLabel] ?? to.from;
  try {
    const services = await sendTo(hash, to, options);
    options.log.info(`Users are switched to the ${pods.length} new pods`);
    await options.verify(services);
  } catch (error) {
    await sendTo(to.from, to, options, AbortSignal.timeout(switchBackMs));
    options.log.info('Users are switched back to the former pods');
    throw error;
  }
}

/** Brings all new pods up beside the old ones, puts them to the test, and switches users to them at once. */
export async function stageBlueGreen(
  change: Change,
  services: readonly Change[],
  options: StageOptions,
  begun: Change[],
): Promise<KubeObject> {
  const to = await startSwitch(change, services, options);
  begun.push(...to.services.filter((service) => !begun.includes(service)));
  await sendTo(to.from, to, options);
  begun.push(change);
  const wanted = replicasOf(change.planned);
  await apply(held(marked(change.manifest.object, 'staging', options), wanted), options);
  const pods = await waitHeld(change.planned, wanted, options);
  options.log.info(
    `${pods.fresh.length} new pods are ready beside the former ones; no user reaches them yet`,
  );
  await testPods(pods, change.planned, options);
  if (options.hold) return apply(held(marked(change.manifest.object, 'verified', options), wanted), options);
  await switchUsers(to, pods.fresh, options);
  return apply(change.manifest.object, options);
}

/** Takes the pins off the Services again, once no former pod is left that they could send users to. */
export async function unpin(services: readonly Change[], options: StageOptions): Promise<void> {
  for (const service of services) await apply(service.manifest.object, options);
}
