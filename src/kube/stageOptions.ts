import type { Log } from '../host/host.ts';
import type { KubeClient } from './client.ts';
import type { Strategy } from './hold.ts';
import type { KubeObject } from './objects.ts';
import type { PodsUnderTest } from './sampling.ts';

export interface StageOptions {
  readonly client: KubeClient;
  readonly log: Log;
  readonly force: boolean;
  readonly rolloutTimeoutMs: number;
  readonly signal: AbortSignal;
  readonly strategy: Strategy;
  /** Puts new pods to the test beside those that serve, for example by golden predictions. */
  readonly verifyPods?: (pods: PodsUnderTest, workload: KubeObject) => Promise<void>;
  /** What must hold for users who are served by new pods. */
  readonly verify: (live: readonly KubeObject[]) => Promise<unknown>;
}

export async function applyStage(
  object: KubeObject,
  options: StageOptions,
  signal = options.signal,
): Promise<KubeObject> {
  return options.client.apply(object, { dryRun: false, force: options.force }, signal);
}
