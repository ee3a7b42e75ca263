import { type ClusterApi, clusterApi } from './api.ts';
import { nodeName } from './layout.ts';

interface NodeObject {
  readonly status?: { readonly conditions?: readonly { readonly type: string; readonly status: string }[] };
}

async function nodeIsReady(api: ClusterApi): Promise<boolean> {
  const { status, body } = await api(`/api/v1/nodes/${nodeName}`);
  const node = JSON.parse(body) as NodeObject;
  return status === 200 && node.status?.conditions?.find((it) => it.type === 'Ready')?.status === 'True';
}

async function succeeds(api: ClusterApi, path: string): Promise<boolean> {
  return (await api(path)).status === 200;
}

async function answers(url: string): Promise<boolean> {
  const answer = await fetch(url, { signal: AbortSignal.timeout(2_000) });
  await answer.body?.cancel();
  return answer.ok;
}

/**
 * True when every part of the cluster answers, the node is ready, and pods can be made (the default namespace has
 * its service account). False, not an error, while something does not answer.
 */
export async function isHealthy(kubeconfig: string, nodeAddress: string): Promise<boolean> {
  try {
    const api = await clusterApi(kubeconfig);
    const checks = await Promise.all([
      succeeds(api, '/readyz'),
      succeeds(api, `https://${nodeAddress}:10257/healthz`),
      succeeds(api, `https://${nodeAddress}:10259/healthz`),
      succeeds(api, '/api/v1/namespaces/default/serviceaccounts/default'),
      nodeIsReady(api),
      answers(`http://${nodeAddress}:10248/healthz`),
      answers(`http://${nodeAddress}:10256/healthz`),
    ]);
    return checks.every(Boolean);
  } catch {
    return false;
  }
}
