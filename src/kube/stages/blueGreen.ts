import type { Pod } from 'kubernetes-types/core/v1.d.ts';
import type { Right } from '../api/right.ts';
import type { KubeObject } from '../objects/objects.ts';
import { hashLabel } from '../objects/workloadState.ts';
import type { Change } from '../plan/plan.ts';
import { observePods, testPods, waitHeld } from './heldPods.ts';
import { held, minReadyMs, replicasOf } from './hold.ts';
import { type Switch, sendTo, startSwitch } from './pins.ts';
import { applyStage as apply, marked, type StageOptions } from './stageOptions.ts';

/** The rights that a switch of users needs beyond those of the release. */
export function switchRights(namespace: string): Right[] {
  return [{ verb: 'patch', group: '', resource: 'services', namespace, required: true }];
}

const switchBackMs = 15_000;

/**
 * Sends users to the new pods and asks there, with the former pods kept for a time; back to these at once when
 * something is not right.
 */
async function switchUsers(
  to: Switch,
  pods: readonly Pod[],
  watchMs: number,
  options: StageOptions,
): Promise<void> {
  const hash = pods[0]?.metadata?.labels?.[hashLabel] ?? to.from;
  try {
    const services = await sendTo(hash, to, options);
    options.log.info(`Users are switched to the ${pods.length} new pods`);
    await options.verify(services);
    if (watchMs === 0) return;
    options.log.info(`The former pods are kept for ${watchMs / 1000} s`);
    await observePods(to.workload, pods.length, watchMs, options);
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
  keepMs: number,
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
  // Once they are no longer held, only pods that have lasted this long let the former ones go.
  await switchUsers(to, pods.fresh, Math.max(keepMs, minReadyMs(change.planned)), options);
  return apply(change.manifest.object, options);
}
