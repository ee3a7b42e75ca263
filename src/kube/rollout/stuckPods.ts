import type { StatefulSet } from 'kubernetes-types/apps/v1.d.ts';
import type { Pod } from 'kubernetes-types/core/v1.d.ts';
import type { Log } from '../../host/host.ts';
import type { KubeClient } from '../api/client.ts';
import { ApiError } from '../api/statusError.ts';
import { watchUntil } from '../api/watchUntil.ts';
import { describe, type KubeObject, refOf } from '../objects/objects.ts';
import { isReady } from '../objects/podState.ts';
import { revisionLabel } from '../objects/workloadState.ts';
import { collections } from './rollout.ts';

/** The controller needs milliseconds to see a template. */
const seenMs = 5000;

/** Pods that the StatefulSet's controller has made of another template and that never became ready. */
function stuckPods(set: KubeObject, pods: readonly KubeObject[]): KubeObject[] {
  const { updateRevision } = (set as StatefulSet).status ?? {};
  return pods.filter(
    (pod) =>
      pod.metadata.ownerReferences?.some(({ uid }) => uid === set.metadata.uid) === true &&
      pod.metadata.deletionTimestamp === undefined &&
      pod.metadata.labels?.[revisionLabel] !== updateRevision &&
      !isReady(pod as Pod),
  );
}

/**
 * Removes the pods that keep a StatefulSet from the template that was just applied: its controller waits for each pod to be ready
 * before it goes on to the next one, also for one that cannot be. Says so where this identity may not remove pods.
 * Source: https://kubernetes.io/docs/concepts/workloads/controllers/statefulset/#forced-rollback
 */
export async function removeStuckPods(
  set: KubeObject,
  options: { readonly client: KubeClient; readonly log: Log; readonly signal: AbortSignal },
): Promise<void> {
  const { client, log, signal } = options;
  const watching = { timeoutMs: seenMs, signal };
  const { answer = [] } = await watchUntil(client, collections(set), watching, ([sets, pods]) => {
    const live = sets?.[0] as StatefulSet | undefined;
    if ((live?.status?.observedGeneration ?? 0) < (set.metadata.generation ?? 0)) return undefined;
    return stuckPods(live as KubeObject, pods ?? []);
  });
  for (const pod of answer) {
    const ref = refOf({ ...pod, apiVersion: 'v1', kind: 'Pod' });
    const { uid } = pod.metadata;
    try {
      await client.remove(ref, { propagation: 'Background', ...(uid === undefined ? {} : { uid }) }, signal);
      log.info(`Removed ${describe(ref)} of a state that failed, which its StatefulSet would wait for`);
    } catch (error) {
      if (!(error instanceof ApiError && error.status === 403)) throw error;
      log.warning(
        `${describe(ref)} of a state that failed keeps its StatefulSet waiting, and this identity may not delete pods: delete it by hand.`,
      );
    }
  }
}
