import { DeliveryError } from '../errors.ts';
import type { ClusterAccess } from '../kube/api/access.ts';
import { readKubeconfig } from '../kube/connection/kubeconfig.ts';
import { withoutPlugins } from './aksKubeconfig.ts';
import { explainAks } from './aksRefused.ts';
import type { AksTarget } from './aksTarget.ts';
import { type Arm, armFields } from './arm.ts';
import { aksApiVersion, clusterPath } from './managedCluster.ts';
import { scopeFor } from './signIn.ts';

/** The first kubeconfig of the answer; its values are base64. */
function kubeconfigOf(answer: Readonly<Record<string, unknown>>): string {
  const list = answer['kubeconfigs'];
  const first: unknown = Array.isArray(list) ? list[0] : undefined;
  const value = typeof first === 'object' && first !== null && 'value' in first ? first.value : undefined;
  if (typeof value === 'string') return Buffer.from(value, 'base64').toString('utf8');
  throw new DeliveryError({
    code: 'AKS_ANSWER_INVALID',
    side: 'cluster',
    message: "Azure's resource manager gave no kubeconfig for the cluster.",
    remedy: 'Check in the portal that the cluster runs.',
  });
}

async function listCredential(arm: Arm, target: AksTarget): Promise<string> {
  try {
    const query = {
      ...(target.admin ? {} : { format: 'exec' }),
      ...(target.publicFqdn === true ? { 'server-fqdn': 'public' } : {}),
    };
    const action = target.admin ? 'listClusterAdminCredential' : 'listClusterUserCredential';
    const path = `${clusterPath(target)}/${action}`;
    return kubeconfigOf(await armFields(arm, { method: 'POST', path, apiVersion: aksApiVersion, query }));
  } catch (error) {
    throw explainAks(error, target);
  }
}

/**
 * The access to an AKS cluster through the resource manager. A cluster that signs in by Entra gets a token for its
 * server application with each request, renewed by the identity; kubelogin is not needed. Throws AKS_ROLE_MISSING,
 * AKS_ADMIN_DISABLED, CLUSTER_NOT_FOUND, AZURE_SUBSCRIPTION_NOT_FOUND, ARM_… and IDENTITY_… errors.
 * https://learn.microsoft.com/rest/api/aks/managed-clusters/list-cluster-user-credentials
 */
export async function aksAccess(
  arm: Arm,
  target: AksTarget,
  secret: (value: string) => void,
): Promise<ClusterAccess> {
  const { content, usesPlugin, serverId } = withoutPlugins(await listCredential(arm, target));
  const access = await readKubeconfig({ content, folder: '.', secret });
  const origin = `AKS cluster '${target.cluster}' in resource group '${target.resourceGroup}'`;
  if (!usesPlugin) return { ...access, origin };
  const scope = scopeFor(serverId ?? arm.cloud.aksAudience);
  return { ...access, origin, token: async () => (await arm.identity.getToken(scope)).token };
}
