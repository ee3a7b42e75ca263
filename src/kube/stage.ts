import { stageBlueGreen } from './blueGreen.ts';
import { stageCanary } from './canary.ts';
import type { KubeObject } from './objects.ts';
import type { Change } from './plan.ts';
import type { StageOptions } from './stageOptions.ts';

/**
 * Rolls a Deployment out in stages: its new pods come up beside the old ones, are put to the test, and only then
 * the rollout goes on. `begun` gets every change just before it is sent. Gives the Deployment as it then is.
 */
export async function stage(
  change: Change,
  services: readonly Change[],
  options: StageOptions,
  begun: Change[],
): Promise<KubeObject> {
  const { strategy } = options;
  if (strategy.kind === 'canary') {
    return stageCanary(change, strategy.percents, strategy.durationMs, options, begun);
  }
  return stageBlueGreen(change, services, options, begun);
}
