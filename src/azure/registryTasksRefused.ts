import { DeliveryError } from '../errors.ts';
import { ArmRefusal } from './arm.ts';
import { type AskedOfArm, armReason } from './armReason.ts';

interface Words {
  readonly code: string;
  readonly side: 'identity' | 'registry' | 'engine';
  readonly message: string;
  readonly remedy: string;
}

function words({ status, code, message }: ArmRefusal, registry: string, action: string): Words {
  if (status === 403 && !/TasksOperationsNotAllowed/i.test(code)) {
    return {
      code: 'ACR_ROLE_MISSING',
      side: 'identity',
      message: `The identity may not ${action} by the Tasks of registry ${registry}.`,
      remedy:
        "Grant it the role 'Container Registry Tasks Contributor' on the registry (az role assignment create), beside 'AcrPush' or 'Container Registry Repository Writer'; it takes effect within minutes.",
    };
  }
  if (/TasksOperationsNotAllowed/i.test(code) || /tasks requests .* not permitted/i.test(message)) {
    return {
      code: 'ACR_TASKS_NOT_ALLOWED',
      side: 'registry',
      message: `The subscription of registry ${registry} may not run Tasks.`,
      remedy:
        "Subscriptions with free credit may not; ask Azure's support for it, or use another 'engine' on an agent.",
    };
  }
  if (/agent ?pool/i.test(message) && (status === 404 || status === 400)) {
    return {
      code: 'ACR_AGENT_POOL_UNKNOWN',
      side: 'registry',
      message: `Registry ${registry} cannot run the build in the pool that 'acrAgentPool' names.`,
      remedy:
        'Correct it (az acr agentpool list -r <registry>); pools need the tier Premium, Basic and Standard have none.',
    };
  }
  if (status === 404 && code === 'ResourceNotFound') {
    return {
      code: 'ACR_REGISTRY_NOT_FOUND',
      side: 'registry',
      message: `Registry ${registry} was found a moment ago and is not there any more, or the identity sees it no longer.`,
      remedy: 'Check that it was not deleted or moved, then run again.',
    };
  }
  if (status === 409) {
    return {
      code: 'ACR_OPERATION_IN_PROGRESS',
      side: 'registry',
      message: `Registry ${registry} is held by another operation, so its Tasks did not ${action}.`,
      remedy: 'Run again when it has ended (az acr show --query provisioningState).',
    };
  }
  return {
    code: 'ACR_REFUSED',
    side: 'engine',
    message: `The Tasks of registry ${registry} refused to ${action}.`,
    remedy: 'Its reason stands above.',
  };
}

/** A refusal of the resource manager in words that name the role or the input; other errors stay as they are. */
export function explainTasks(
  error: unknown,
  registry: string,
  { action, subscriptionId }: AskedOfArm,
): unknown {
  if (!(error instanceof ArmRefusal)) return error;
  const asked = { action: `${action} by the Tasks of registry ${registry}`, subscriptionId };
  return armReason(error, asked) ?? new DeliveryError({ ...words(error, registry, action), cause: error });
}
