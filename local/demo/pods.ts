import { readFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { Pod } from 'kubernetes-types/core/v1.d.ts';
import { createClient } from '../../src/kube/api/apiClient.ts';
import { createTransport } from '../../src/kube/api/transport.ts';
import { readKubeconfig } from '../../src/kube/connection/kubeconfig.ts';

/** A pod that runs, and what it runs. */
export interface RunningPod {
  readonly name: string;
  /** Image ID as the kubelet reports it: `name@sha256:…`. */
  readonly image: string;
}

function runningImages(pod: Pod): string[] {
  const statuses = pod.status?.containerStatuses ?? [];
  return statuses.filter((status) => status.state?.running !== undefined).map((status) => status.imageID);
}

/** The running containers of a namespace's pods, those on their way out excepted. */
export async function runningPods(kubeconfig: string, namespace: string): Promise<RunningPod[]> {
  const access = await readKubeconfig({
    content: await readFile(kubeconfig, 'utf8'),
    folder: dirname(kubeconfig),
    secret: () => undefined,
  });
  const client = createClient(createTransport(access));
  try {
    const pods = { apiVersion: 'v1', kind: 'Pod', namespace };
    const { items } = await client.list(pods, AbortSignal.timeout(10_000));
    return items
      .filter((item) => item.metadata.deletionTimestamp === undefined)
      .flatMap((item) => runningImages(item as Pod).map((image) => ({ name: item.metadata.name, image })));
  } finally {
    await client.close();
  }
}
