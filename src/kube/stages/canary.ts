import type { KubeObject } from '../objects/objects.ts';
import type { Change } from '../plan/plan.ts';
import { observePods, testPods, waitHeld } from './heldPods.ts';
import { canaryPods, held } from './hold.ts';
import { applyStage as apply, marked, type StageOptions } from './stageOptions.ts';

/** Step after step brings more new pods up in front of users, each put to the test and then watched for a time. */
export async function stageCanary(
  change: Change,
  percents: readonly number[],
  durationMs: number,
  options: StageOptions,
  begun: Change[],
): Promise<KubeObject> {
  begun.push(change);
  const steps = canaryPods(change.planned, percents);
  for (const wanted of steps) {
    await apply(held(marked(change.manifest.object, 'staging', options), wanted), options);
    const pods = await waitHeld(change.planned, wanted, options);
    options.log.info(
      `Canary: ${pods.fresh.length} new pods serve beside the former ones, for ${durationMs / 1000} s`,
    );
    await testPods(pods, change.planned, options);
    await observePods(change.planned, wanted, durationMs, options);
  }
  if (options.hold) {
    return apply(held(marked(change.manifest.object, 'verified', options), steps.at(-1) ?? 1), options);
  }
  options.log.info('Canary passed: the rollout goes on');
  return apply(change.manifest.object, options);
}
