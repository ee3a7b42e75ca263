import { DeliveryError } from '../errors.ts';
import type { ArmRefusal } from './arm.ts';

interface Words {
  readonly code: string;
  readonly side: 'identity' | 'input' | 'cluster';
  readonly message: string;
  readonly remedy: string;
}

/** What was asked for, in a sentence: `read the credentials of cluster 'prod'`. */
export interface AskedOfArm {
  readonly action: string;
  readonly subscriptionId: string;
  readonly resourceGroup?: string;
}

type Reason = (refusal: ArmRefusal, asked: AskedOfArm) => Words;

const policy: Reason = ({ message, policyName }, { action }) => {
  const named = policyName ?? /"policyAssignment":\s*\{[^}]*?"name":\s*"([^"]+)"/.exec(message)?.[1];
  return {
    code: 'AZURE_POLICY_DENIED',
    side: 'identity',
    message: `An Azure Policy of the subscription forbids to ${action}${named === undefined ? '' : `: assignment '${named}'`}.`,
    remedy:
      'No role helps against a policy: meet what it asks for, or have its owner exempt the resource (az policy exemption create).',
  };
};

const unregistered: Reason = ({ message }, { subscriptionId }) => {
  const namespace = /Microsoft\.[A-Za-z]+/.exec(message)?.[0] ?? '<namespace>';
  return {
    code: 'AZURE_PROVIDER_NOT_REGISTERED',
    side: 'input',
    message: `Subscription '${subscriptionId}' is not registered for ${namespace}: nothing of that kind can be in it.`,
    remedy: `Check the service connection's subscription; where it is the right one, its owner registers it: az provider register --namespace ${namespace} --subscription ${subscriptionId}.`,
  };
};

const tenant: Reason = (_refusal, { subscriptionId }) => ({
  code: 'AZURE_TENANT_MISMATCH',
  side: 'identity',
  message: `Subscription '${subscriptionId}' belongs to another tenant than the one that the identity signs in to.`,
  remedy:
    "Correct the tenant id of the service connection, or use a connection of the subscription's tenant (az account show --query tenantId).",
});

const tokenRefused: Reason = ({ code }, { action }) => ({
  code: 'AZURE_TOKEN_REFUSED',
  side: 'identity',
  message: `Azure's resource manager did not accept the identity's token (${code || 'HTTP 401'}), asked to ${action}.`,
  remedy:
    "No role is missing: check the agent's clock, the service connection's environment and audience (Verify reads them anew), and that no proxy changes requests; then run again.",
});

const subscriptionMissing: Reason = (_refusal, { subscriptionId, action }) => ({
  code: 'AZURE_SUBSCRIPTION_NOT_FOUND',
  side: 'input',
  message: `Subscription '${subscriptionId}' does not exist, or the identity sees nothing in it.`,
  remedy: `Check the subscription of the service connection; an identity without any role in it gets this answer too: grant the role that it needs to ${action}.`,
});

const groupMissing: Reason = ({ message }, { subscriptionId, resourceGroup }) => {
  const group = resourceGroup ?? /[Rr]esource group '([^']+)'/.exec(message)?.[1] ?? '';
  return {
    code: 'AZURE_RESOURCE_GROUP_NOT_FOUND',
    side: 'input',
    message: `Resource group '${group}' does not exist in subscription '${subscriptionId}'.`,
    remedy:
      "Correct 'resourceGroup' or the service connection's subscription (az group list --output table shows the names).",
  };
};

const subscriptionDisabled: Reason = (_refusal, { subscriptionId }) => ({
  code: 'AZURE_SUBSCRIPTION_DISABLED',
  side: 'identity',
  message: `Subscription '${subscriptionId}' is disabled, so that everything in it can only be read.`,
  remedy: 'Its owner enables it again (az account subscription enable, or the billing account).',
});

const locked: Reason = (_refusal, { action }) => ({
  code: 'AZURE_LOCKED',
  side: 'identity',
  message: `A lock of Azure's resource manager forbids to ${action}.`,
  remedy:
    'A lock of kind ReadOnly forbids every POST, reading credentials too: its owner takes it away or makes it CanNotDelete (az lock list --output table).',
});

const denied: Reason = (_refusal, { action }) => ({
  code: 'AZURE_DENY_ASSIGNMENT',
  side: 'identity',
  message: `A deny assignment forbids the identity to ${action}, whatever roles it has.`,
  remedy:
    'Deny assignments come of managed applications, deployment stacks and managed resource groups: ask the owner to admit the identity.',
});

/** https://learn.microsoft.com/azure/azure-resource-manager/troubleshooting/common-deployment-errors */
const byCode: Readonly<Record<string, Reason>> = {
  RequestDisallowedByPolicy: policy,
  MissingSubscriptionRegistration: unregistered,
  SubscriptionNotRegistered: unregistered,
  InvalidAuthenticationTokenTenant: tenant,
  SubscriptionNotFound: subscriptionMissing,
  InvalidSubscriptionId: subscriptionMissing,
  ResourceGroupNotFound: groupMissing,
  ReadOnlyDisabledSubscription: subscriptionDisabled,
  DisabledSubscription: subscriptionDisabled,
  ScopeLocked: locked,
  DenyAssignmentAuthorizationFailed: denied,
};

/**
 * A refusal that every service behind the resource manager gives alike, and that no role would change; undefined for
 * one that its own service has to explain.
 */
export function armReason(refusal: ArmRefusal, asked: AskedOfArm): DeliveryError | undefined {
  const reason = byCode[refusal.code] ?? (refusal.status === 401 ? tokenRefused : undefined);
  return reason === undefined ? undefined : new DeliveryError({ ...reason(refusal, asked), cause: refusal });
}
