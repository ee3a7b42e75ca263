import { DeliveryError } from '../errors.ts';
import type { AksTarget } from './aksTarget.ts';
import { ArmRefusal } from './arm.ts';
import { armReason } from './armReason.ts';

interface Words {
  readonly code: string;
  readonly side: 'identity' | 'input' | 'cluster';
  readonly message: string;
  readonly remedy: string;
}

function missing({ cluster, resourceGroup }: AksTarget): Words {
  return {
    code: 'CLUSTER_NOT_FOUND',
    side: 'input',
    message: `Cluster '${cluster}' does not exist in resource group '${resourceGroup}'.`,
    remedy: "Correct 'cluster' (az aks list --output table shows both names).",
  };
}

/** What was asked of the cluster: its credentials, or what it is. */
type Asked = 'credentials' | 'read';

function roleMissing(target: AksTarget, asked: Asked): Words {
  const role = `Azure Kubernetes Service Cluster ${target.admin ? 'Admin' : 'User'} Role`;
  const what = asked === 'read' ? '' : `the ${target.admin ? 'admin' : 'user'} credentials of `;
  return {
    code: 'AKS_ROLE_MISSING',
    side: 'identity',
    message: `The identity may not read ${what}cluster '${target.cluster}'.`,
    remedy: `Grant it the role '${role}' on the cluster (az role assignment create); it takes effect within minutes.`,
  };
}

/** The cluster is there, and cannot do it now: stopped, or another operation goes on. */
export function heldUp({ status, code, message }: ArmRefusal, { cluster }: AksTarget): Words | undefined {
  if (status !== 409 && !/^(OperationNotAllowed|Conflict)$/.test(code)) return undefined;
  if (/stopped|power ?state|deallocated/i.test(message)) {
    return {
      code: 'AKS_CLUSTER_STOPPED',
      side: 'cluster',
      message: `Cluster '${cluster}' is stopped.`,
      remedy: 'Start it (az aks start -n <cluster> -g <group>), then run again.',
    };
  }
  return {
    code: 'AKS_OPERATION_IN_PROGRESS',
    side: 'cluster',
    message: `Cluster '${cluster}' is held by another operation (an upgrade, a change of its nodes, a command).`,
    remedy:
      'Run again when it has ended (az aks show --query provisioningState); one that has failed is ended by az aks update.',
  };
}

function words(refusal: ArmRefusal, target: AksTarget, asked: Asked): Words {
  if (refusal.status === 403) return roleMissing(target, asked);
  const held = heldUp(refusal, target);
  if (held !== undefined) return held;
  if (/disable local accounts|static credential/i.test(refusal.message)) {
    return {
      code: 'AKS_ADMIN_DISABLED',
      side: 'identity',
      message: `Cluster '${target.cluster}' has no admin credentials: its local accounts are disabled.`,
      remedy: "Leave 'useClusterAdmin' off: the identity then signs in to the cluster by Entra.",
    };
  }
  if (target.publicFqdn === true && /public ?fqdn/i.test(refusal.message)) {
    return {
      code: 'AKS_PUBLIC_FQDN_MISSING',
      side: 'identity',
      message: `The API server of cluster '${target.cluster}' has no public name.`,
      remedy:
        "Leave 'usePublicFqdn' off, or give it one: az aks update --enable-public-fqdn -n <cluster> -g <group>.",
    };
  }
  if (refusal.status === 404) return missing(target);
  return {
    code: 'AKS_REFUSED',
    side: 'identity',
    message: `Azure's resource manager refused the credentials of cluster '${target.cluster}'.`,
    remedy: 'Its reason stands above.',
  };
}

/** A refusal of the resource manager in words that name the role or the input; other errors stay as they are. */
export function explainAks(error: unknown, target: AksTarget, asked: Asked = 'credentials'): unknown {
  if (!(error instanceof ArmRefusal)) return error;
  const { subscriptionId, resourceGroup, cluster } = target;
  const action =
    asked === 'read' ? `read cluster '${cluster}'` : `read the credentials of cluster '${cluster}'`;
  return (
    armReason(error, { action, subscriptionId, resourceGroup }) ??
    new DeliveryError({ ...words(error, target, asked), cause: error })
  );
}
