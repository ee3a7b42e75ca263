import type { Host, ServiceConnection } from '../host/host.ts';
import { required } from '../host/inputs.ts';
import type { ClusterAccess } from '../kube/access.ts';
import { type AksTarget, aksAccess } from './aks.ts';
import { azureConnection } from './connection.ts';
import { createCredential } from './credential.ts';
import { createSend } from './http.ts';

/** A cluster by its names in Azure; the subscription is the service connection's. */
export type ClusterName = Omit<AksTarget, 'subscriptionId'>;

/** The access to an AKS cluster by an AzureRM service connection. Throws what {@link aksAccess} throws, and INPUT_MISSING. */
export async function openCluster(
  connection: ServiceConnection,
  name: ClusterName,
  host: Host,
): Promise<ClusterAccess> {
  const azure = azureConnection(connection);
  const subscriptionId = required(
    azure.subscriptionId,
    'azureSubscription',
    'with a service connection for one subscription, not for a management group',
  );
  const arm = {
    cloud: azure.cloud,
    identity: createCredential(azure, host),
    send: createSend({}),
    signal: host.cancelled,
  };
  return aksAccess(arm, { ...name, subscriptionId }, (value) => host.secret(value));
}
