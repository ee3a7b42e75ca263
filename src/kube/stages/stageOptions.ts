import type { Log } from '../../host/host.ts';
import type { KubeClient } from '../api/client.ts';
import type { PodsUnderTest } from '../gate/sampling.ts';
import type { KubeObject } from '../objects/objects.ts';
import { type HeldState, heldAnnotation, withAnnotation } from './heldRecord.ts';
import type { Strategy } from './hold.ts';

export interface StageOptions {
  readonly client: KubeClient;
  readonly log: Log;
  readonly force: boolean;
  readonly rolloutTimeoutMs: number;
  readonly signal: AbortSignal;
  readonly strategy: Strategy;
  /** Puts new pods to the test beside those that serve, for example by golden predictions. */
  readonly verifyPods?: (pods: PodsUnderTest, workload: KubeObject) => Promise<void>;
  /** Stops at the verified stage, before users are switched or the rollout goes on. */
  readonly hold: boolean;
  /** What must hold for users who are served by new pods. */
  readonly verify: (live: readonly KubeObject[]) => Promise<unknown>;
}

/** The manifest of a stage, with a mark of how far it has come when it is to be held. */
export function marked(manifest: KubeObject, state: HeldState, options: StageOptions): KubeObject {
  return options.hold ? withAnnotation(manifest, heldAnnotation, state) : manifest;
}

/** What applying an object needs. */
export type Applying = Pick<StageOptions, 'client' | 'force' | 'signal'>;

export async function applyStage(
  object: KubeObject,
  options: Applying,
  signal = options.signal,
): Promise<KubeObject> {
  return options.client.apply(object, { dryRun: false, force: options.force }, signal);
}
