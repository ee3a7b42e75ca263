import { DeliveryError } from '../../errors.ts';
import { describe, type KubeObject, refOf } from '../objects/objects.ts';
import type { Change } from '../plan/plan.ts';
import { stageBlueGreen } from './blueGreen.ts';
import { stageCanary } from './canary.ts';
import { canaryTraffic } from './canaryTraffic.ts';
import type { Strategy } from './hold.ts';
import type { StageOptions } from './stageOptions.ts';
import { stageWeightedCanary } from './weightedCanary.ts';

function weightsImpossible(change: Change, why: string): DeliveryError {
  return new DeliveryError({
    code: 'STRATEGY_IMPOSSIBLE',
    side: 'input',
    message: `'canaryTraffic: weights' is not possible for ${describe(refOf(change.planned))}: ${why}.`,
    remedy: "Deploy an HTTPRoute that a Gateway has accepted, or use 'canaryTraffic: auto'.",
  });
}

async function byTraffic(
  change: Change,
  changes: readonly Change[],
  strategy: Extract<Strategy, { kind: 'canary' }>,
  options: StageOptions,
  begun: Change[],
): Promise<KubeObject> {
  const traffic = canaryTraffic(change, changes, strategy.traffic);
  if (traffic.by === 'weights') {
    const names = traffic.routes.map((route) => describe(refOf(route.planned))).join(', ');
    options.log.info(`Canary by weights: ${names} divides the requests`);
    return stageWeightedCanary(change, changes, traffic, strategy, options, begun);
  }
  if (strategy.traffic === 'weights') throw weightsImpossible(change, traffic.why);
  options.log.info(`Canary by the number of pods: ${traffic.why}`);
  return stageCanary(change, strategy.percents, strategy.durationMs, options, begun);
}

/**
 * Rolls a Deployment out in stages: its new pods come up beside the old ones, are put to the test, and only then
 * the rollout goes on. `begun` gets every change just before it is sent. Gives the Deployment as it then is.
 */
export async function stage(
  change: Change,
  changes: readonly Change[],
  options: StageOptions,
  begun: Change[],
): Promise<KubeObject> {
  const { strategy } = options;
  if (strategy.kind === 'canary') return byTraffic(change, changes, strategy, options, begun);
  const keepMs = strategy.kind === 'blueGreen' ? strategy.keepMs : 0;
  return stageBlueGreen(change, changes, keepMs, options, begun);
}
