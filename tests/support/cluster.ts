import { readFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { Pod } from 'kubernetes-types/core/v1.d.ts';
import { createClient } from '../../src/kube/apiClient.ts';
import { readKubeconfig } from '../../src/kube/kubeconfig.ts';
import { createTransport } from '../../src/kube/transport.ts';

/** The image IDs of the containers that run in a namespace, as the kubelet reports them: `name@sha256:…`. */
export async function runningImages(kubeconfig: string, namespace: string): Promise<string[]> {
  const access = await readKubeconfig({
    content: await readFile(kubeconfig, 'utf8'),
    folder: dirname(kubeconfig),
    secret: () => undefined,
  });
  const client = createClient(createTransport(access));
  try {
    const pods = { apiVersion: 'v1', kind: 'Pod', namespace };
    const { items } = await client.list(pods, AbortSignal.timeout(10_000));
    const statuses = items
      .filter((item) => item.metadata.deletionTimestamp === undefined)
      .flatMap((item) => (item as Pod).status?.containerStatuses ?? []);
    return statuses.filter((status) => status.state?.running !== undefined).map((status) => status.imageID);
  } finally {
    await client.close();
  }
}
