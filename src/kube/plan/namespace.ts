import type { Host } from '../../host/host.ts';
import type { KubeClient } from '../api/client.ts';
import { ApiError } from '../api/statusError.ts';

/** Creates the namespace if the cluster has none of that name. True when it was created. */
export async function ensureNamespace(client: KubeClient, name: string, host: Host): Promise<boolean> {
  const object = { apiVersion: 'v1', kind: 'Namespace', metadata: { name } };
  const found = await client.get({ apiVersion: 'v1', kind: 'Namespace', name }, host.cancelled);
  if (found !== undefined) return false;
  try {
    await client.create(object, host.cancelled);
    host.log.info(`Created Namespace '${name}'`);
    return true;
  } catch (error) {
    if (error instanceof ApiError && error.reason === 'AlreadyExists') return false;
    throw error;
  }
}
