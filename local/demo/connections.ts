import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { LocalContext } from '../lib/context.ts';
import type { ClusterEndpoint, RegistryEndpoint } from '../lib/endpoints.ts';
import { writePrivate } from '../services/state.ts';

/** Names that the example's pipelines use for their service connections. */
export const connectionNames = { registry: 'model-registry', cluster: 'model-cluster' } as const;

/** Writes the service connections that a project administrator would make once; 0600, since it holds keys. */
export async function writeConnections(
  context: LocalContext,
  services: { readonly registry: RegistryEndpoint; readonly cluster: ClusterEndpoint },
): Promise<string> {
  const { registry, cluster } = services;
  const connections = [
    {
      name: connectionNames.registry,
      id: '6b6f2c1e-54a5-4b55-9c0f-2b0b4f0a7d11',
      type: 'dockerregistry',
      url: registry.url,
      scheme: 'UsernamePassword',
      parameters: { registry: registry.url, username: registry.username, password: registry.password },
      data: { registrytype: 'Others' },
    },
    {
      name: connectionNames.cluster,
      id: '0d9f8f5e-6d2b-4f86-9a53-8a1d1d5b5c22',
      type: 'kubernetes',
      url: 'https://kubernetes.invalid',
      scheme: 'Kubernetes',
      parameters: { kubeconfig: await readFile(cluster.kubeconfig, 'utf8') },
      data: { authorizationType: 'Kubeconfig' },
    },
  ];
  const file = join(context.stateFolder, 'connections.json');
  await writePrivate(file, JSON.stringify({ connections }, undefined, 2));
  return file;
}
