import assert from 'node:assert/strict';
import { explainAks } from '../../../src/azure/aksRefused.ts';
import { ArmRefusal } from '../../../src/azure/arm.ts';
import { explainTasks } from '../../../src/azure/registryTasksRefused.ts';
import { explainRunCommand } from '../../../src/azure/runCommandRefused.ts';
import { DeliveryError, explain } from '../../../src/errors.ts';

const subscriptionId = '00000000-0000-4000-8000-0000000000aa';
const target = { subscriptionId, resourceGroup: 'models', cluster: 'prod', admin: false };

/** An answer of the resource manager in its published shape. */
function refusal(status: number, code: string, message: string, more: object = {}): ArmRefusal {
  const text = JSON.stringify({ error: { code, message, ...more } });
  return new ArmRefusal({ status, headers: {}, text, correlation: 'x-ms-correlation-request-id 1' });
}

const explainers: Readonly<Record<string, (error: ArmRefusal) => unknown>> = {
  credentials: (error) => explainAks(error, target),
  'a command': (error) => explainRunCommand(error, target),
  'a run of ACR Tasks': (error) => {
    const asked = { action: 'schedule a build', subscriptionId };
    return explainTasks(error, 'team.azurecr.io', asked);
  },
};

function said(explained: unknown): { code: string; text: string } {
  assert.ok(explained instanceof DeliveryError);
  return { code: explained.code, text: explain(explained) };
}

const policyInfo = {
  additionalInfo: [
    { type: 'PolicyViolation', info: { policyAssignmentDisplayName: 'Only private registries' } },
  ],
};
const general: readonly (readonly [string, ArmRefusal, RegExp])[] = [
  [
    'AZURE_POLICY_DENIED',
    refusal(403, 'RequestDisallowedByPolicy', "Resource 'x' was disallowed by policy.", policyInfo),
    /'Only private registries'.*exemption/s,
  ],
  [
    'AZURE_POLICY_DENIED',
    refusal(
      403,
      'RequestDisallowedByPolicy',
      'Resource \'x\' was disallowed by policy. Policy identifiers: \'[{"policyAssignment":{"name":"Only ours","id":"/s"}}]\'.',
    ),
    /'Only ours'/,
  ],
  [
    'AZURE_PROVIDER_NOT_REGISTERED',
    refusal(
      409,
      'MissingSubscriptionRegistration',
      "The subscription is not registered to use namespace 'Microsoft.ContainerService'.",
    ),
    /az provider register --namespace Microsoft\.ContainerService/,
  ],
  [
    'AZURE_TENANT_MISMATCH',
    refusal(401, 'InvalidAuthenticationTokenTenant', 'wrong issuer'),
    /another tenant/,
  ],
  [
    'AZURE_TOKEN_REFUSED',
    refusal(401, 'InvalidAuthenticationToken', 'The access token is invalid.'),
    /\(InvalidAuthenticationToken\).*No role is missing/s,
  ],
  ['AZURE_TOKEN_REFUSED', refusal(401, 'ExpiredAuthenticationToken', 'expired'), /clock/],
  ['AZURE_SUBSCRIPTION_NOT_FOUND', refusal(404, 'SubscriptionNotFound', 'no such'), /sees nothing in it/],
  [
    'AZURE_RESOURCE_GROUP_NOT_FOUND',
    refusal(404, 'ResourceGroupNotFound', "Resource group 'models' could not be found."),
    /Resource group 'models' does not exist/,
  ],
  ['AZURE_SUBSCRIPTION_DISABLED', refusal(409, 'ReadOnlyDisabledSubscription', 'disabled'), /is disabled/],
  ['AZURE_LOCKED', refusal(409, 'ScopeLocked', 'cannot perform write operation'), /lock/],
  ['AZURE_DENY_ASSIGNMENT', refusal(403, 'DenyAssignmentAuthorizationFailed', 'denied'), /deny assignment/],
];

describe('a refusal of the resource manager', () => {
  for (const [what, explained] of Object.entries(explainers)) {
    it(`that no role would change is told as what it is: ${what}`, () => {
      for (const [code, refused, words] of general) {
        const told = said(explained(refused));
        assert.equal(told.code, code);
        assert.match(told.text, words);
        assert.match(told.text, /x-ms-correlation-request-id 1/);
      }
    });
  }

  it('for want of a right names the role', () => {
    const unauthorised = refusal(403, 'AuthorizationFailed', 'does not have authorization to perform action');
    const codes = Object.values(explainers).map((explained) => said(explained(unauthorised)).code);
    assert.deepEqual(codes, ['AKS_ROLE_MISSING', 'RUN_COMMAND_ROLE_MISSING', 'ACR_ROLE_MISSING']);
  });

  it('for something that is not there names the input', () => {
    const gone = refusal(404, 'ResourceNotFound', 'was not found');
    const codes = Object.values(explainers).map((explained) => said(explained(gone)).code);
    assert.deepEqual(codes, ['CLUSTER_NOT_FOUND', 'CLUSTER_NOT_FOUND', 'ACR_REGISTRY_NOT_FOUND']);
  });

  it('by a conflict says what holds the cluster or the registry', () => {
    const stopped = refusal(409, 'Conflict', "Operation is not allowed: managed cluster 'prod' is stopped.");
    const upgrading = refusal(409, 'OperationNotAllowed', 'Another operation (Upgrading) is in progress.');
    const command = refusal(409, 'Conflict', 'Another command is running in the cluster.');
    const codesOf = (refused: ArmRefusal) =>
      Object.values(explainers).map((explained) => said(explained(refused)).code);
    assert.deepEqual(codesOf(stopped).slice(0, 2), ['AKS_CLUSTER_STOPPED', 'AKS_CLUSTER_STOPPED']);
    const held = 'AKS_OPERATION_IN_PROGRESS';
    assert.deepEqual(codesOf(upgrading), [held, held, 'ACR_OPERATION_IN_PROGRESS']);
    assert.deepEqual(codesOf(command).slice(0, 2), [held, 'RUN_COMMAND_BUSY']);
  });
});
