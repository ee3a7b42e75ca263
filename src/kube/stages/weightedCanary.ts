import type { Manifest } from '../manifests/manifests.ts';
import type { KubeObject } from '../objects/objects.ts';
import { hashLabel } from '../objects/workloadState.ts';
import { type Change, restorable } from '../plan/plan.ts';
import { checkCanaryName, openCanary } from './canaryService.ts';
import type { CanaryTraffic } from './canaryTraffic.ts';
import { observePods, testPods, waitHeld } from './heldPods.ts';
import { held, pinOf, podsFor } from './hold.ts';
import { hasShare, withoutShare, withShare } from './httpRoute.ts';
import { sendTo, startSwitch, unpin } from './pins.ts';
import { putRouteBack, waitAccepted } from './routeStatus.ts';
import { type Applying, applyStage as apply, marked, type StageOptions } from './stageOptions.ts';

/** What gives a part of the users to new pods. */
export type Weights = Extract<CanaryTraffic, { by: 'weights' }>;

const backMs = 20_000;

async function applyRoutes(
  routes: readonly Change[],
  change: (route: KubeObject) => KubeObject,
  options: Applying,
): Promise<void> {
  const applied: KubeObject[] = [];
  for (const { manifest } of routes) applied.push(await apply(change(manifest.object), options));
  for (const route of applied) await waitAccepted(options.client, route, options.signal);
}

/** Sends all users to the former pods again. */
async function sendBack(routes: readonly Change[], options: StageOptions): Promise<void> {
  for (const { live, snapshot, manifest } of routes) {
    const former = restorable(snapshot ?? live ?? manifest.object, manifest.object);
    await putRouteBack(options.client, former, AbortSignal.timeout(backMs));
  }
  options.log.info('All users are sent to the former pods again');
}

/** Gives all pods, new and former, to the stable Services, and the routes' users to these. */
async function openToAll(
  services: readonly Change[],
  routes: readonly Change[],
  options: Applying,
): Promise<void> {
  await unpin(services, options);
  await applyRoutes(routes, (route) => route, options);
}

/** One step: its pods are put to the test, then get their share of the users, and are watched. */
async function takeStep(
  change: Change,
  percent: number,
  { routes, services }: Weights,
  durationMs: number,
  options: StageOptions,
): Promise<void> {
  const wanted = podsFor(change.planned, percent);
  await apply(held(marked(change.manifest.object, 'staging', options), wanted), options);
  const pods = await waitHeld(change.planned, wanted, options);
  const hash = pods.fresh[0]?.metadata?.labels?.[hashLabel] ?? '';
  await testPods(pods, change.planned, options);
  for (const service of services) await openCanary(service.planned, hash, wanted, options);
  const names = services.map((service) => service.planned.metadata.name);
  await applyRoutes(routes, (route) => withShare(route, names, percent), options);
  options.log.info(
    `Canary: ${percent} % of the requests go to ${pods.fresh.length} new pods, for ${durationMs / 1000} s`,
  );
  await observePods(change.planned, wanted, durationMs, options);
}

/**
 * A canary by weights: the Services are kept to the former pods, Services beside them have the new ones, and the routes
 * divide the requests. At the end all pods are the Services' own again, and the rollout goes on.
 */
export async function stageWeightedCanary(
  change: Change,
  changes: readonly Change[],
  weights: Weights,
  { percents, durationMs }: { readonly percents: readonly number[]; readonly durationMs: number },
  options: StageOptions,
  begun: Change[],
): Promise<KubeObject> {
  const { routes, services } = weights;
  for (const service of services) await checkCanaryName(service.planned, options);
  const to = await startSwitch(change, changes, options);
  begun.push(...[...routes, ...to.services].filter((one) => !begun.includes(one)));
  await sendTo(to.from, to, options);
  begun.push(change);
  try {
    for (const percent of [...new Set(percents)].sort((a, b) => a - b)) {
      await takeStep(change, percent, weights, durationMs, options);
    }
  } catch (error) {
    await sendBack(routes, options);
    throw error;
  }
  if (options.hold) {
    const pods = podsFor(change.planned, Math.max(...percents));
    return apply(held(marked(change.manifest.object, 'verified', options), pods), options);
  }
  options.log.info('Canary passed: the rollout goes on');
  await openToAll(to.services, routes, options);
  return apply(change.manifest.object, options);
}

/**
 * Ends the division of a held canary by weights, so that its promotion may go on as a rolling update: the verified pods
 * get their share by number then. What to put back if that fails is as it was recorded.
 */
export async function openHeldCanary<M extends Manifest>(
  changes: readonly Change<M>[],
  options: Applying,
): Promise<Change<M>[]> {
  const routes = changes.filter(({ live }) => hasShare(live));
  if (routes.length === 0) return [...changes];
  const services = changes.filter(({ live }) => pinOf(live) !== undefined);
  await openToAll(services, routes, options);
  return changes.map((change) => {
    const isOpened = routes.includes(change) || services.includes(change);
    if (!isOpened || change.live === undefined) return change;
    return {
      ...change,
      snapshot: change.snapshot ?? withoutShare(change.live),
      live: change.manifest.object,
    };
  });
}
