import type { KubeClient } from '../../src/kube/api/client.ts';
import { watchUntil } from '../../src/kube/api/watchUntil.ts';
import type { KubeObject } from '../../src/kube/objects/objects.ts';
import { containersOf, podTemplate } from '../../src/kube/objects/workload.ts';
import { workloadState } from '../../src/kube/objects/workloadState.ts';

const longestMs = 180_000;

/** The time that the pods of a release need by themselves, in milliseconds: from the Deployment's change to the last one's readiness. */
export async function timeReadiness(
  client: KubeClient,
  namespace: string,
  image: string,
  signal: AbortSignal,
): Promise<number> {
  const deployments = { apiVersion: 'apps/v1', kind: 'Deployment', namespace };
  let changedAt: number | undefined;
  const look = ([found]: readonly (readonly KubeObject[])[]): number | undefined => {
    const web = found?.find(({ metadata }) => metadata.name === 'web');
    if (web === undefined || containersOf(podTemplate(web)?.spec)[0]?.image !== image) return undefined;
    changedAt ??= performance.now();
    return workloadState(web).complete ? performance.now() - changedAt : undefined;
  };
  const { answer } = await watchUntil(client, [deployments], { timeoutMs: longestMs, signal }, look);
  if (answer === undefined) throw new Error(`No rollout of ${image} was seen in ${namespace}.`);
  return answer;
}
