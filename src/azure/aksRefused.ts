import { DeliveryError } from '../errors.ts';
import type { AksTarget } from './aksTarget.ts';
import { ArmRefusal } from './arm.ts';

interface Words {
  readonly code: string;
  readonly message: string;
  readonly remedy: string;
}

function missing(refusal: ArmRefusal, target: AksTarget): Words {
  const { subscriptionId, resourceGroup, cluster } = target;
  if (refusal.code === 'SubscriptionNotFound') {
    return {
      code: 'AZURE_SUBSCRIPTION_NOT_FOUND',
      message: `Subscription '${subscriptionId}' does not exist, or the identity sees nothing in it.`,
      remedy:
        "Check the subscription of the service connection; an identity without any role in it gets this answer too: grant 'Azure Kubernetes Service Cluster User Role' on the cluster.",
    };
  }
  const group = refusal.code === 'ResourceGroupNotFound';
  return {
    code: 'CLUSTER_NOT_FOUND',
    message: group
      ? `Resource group '${resourceGroup}' does not exist in subscription '${subscriptionId}'.`
      : `Cluster '${cluster}' does not exist in resource group '${resourceGroup}'.`,
    remedy: `Correct '${group ? 'resourceGroup' : 'cluster'}' (az aks list --output table shows both names).`,
  };
}

/** What was asked of the cluster: its credentials, or what it is. */
type Asked = 'credentials' | 'read';

function roleMissing(target: AksTarget, asked: Asked): Words {
  const role = `Azure Kubernetes Service Cluster ${target.admin ? 'Admin' : 'User'} Role`;
  const what = asked === 'read' ? '' : `the ${target.admin ? 'admin' : 'user'} credentials of `;
  return {
    code: 'AKS_ROLE_MISSING',
    message: `The identity may not read ${what}cluster '${target.cluster}'.`,
    remedy: `Grant it the role '${role}' on the cluster (az role assignment create); it takes effect within minutes.`,
  };
}

function words(refusal: ArmRefusal, target: AksTarget, asked: Asked): Words {
  if (refusal.status === 403) return roleMissing(target, asked);
  if (refusal.code === 'InvalidAuthenticationTokenTenant') {
    return {
      code: 'AZURE_TENANT_MISMATCH',
      message: `Subscription '${target.subscriptionId}' belongs to another tenant than the one that the identity signs in to.`,
      remedy:
        "Correct the tenant id of the service connection, or use a connection of the subscription's tenant (az account show --query tenantId).",
    };
  }
  if (/disable local accounts|static credential/i.test(refusal.message)) {
    return {
      code: 'AKS_ADMIN_DISABLED',
      message: `Cluster '${target.cluster}' has no admin credentials: its local accounts are disabled.`,
      remedy: "Leave 'useClusterAdmin' off: the identity then signs in to the cluster by Entra.",
    };
  }
  if (target.publicFqdn === true && /public ?fqdn/i.test(refusal.message)) {
    return {
      code: 'AKS_PUBLIC_FQDN_MISSING',
      message: `The API server of cluster '${target.cluster}' has no public name.`,
      remedy:
        "Leave 'usePublicFqdn' off, or give it one: az aks update --enable-public-fqdn -n <cluster> -g <group>.",
    };
  }
  if (refusal.status === 404) return missing(refusal, target);
  return {
    code: 'AKS_REFUSED',
    message: `Azure's resource manager refused the credentials of cluster '${target.cluster}'.`,
    remedy: 'Its reason stands above.',
  };
}

/** A refusal of the resource manager in words that name the role or the input; other errors stay as they are. */
export function explainAks(error: unknown, target: AksTarget, asked: Asked = 'credentials'): unknown {
  if (!(error instanceof ArmRefusal)) return error;
  const notFound = error.status === 404;
  return new DeliveryError({
    ...words(error, target, asked),
    side: notFound ? 'input' : 'identity',
    cause: error,
  });
}
