import { DeliveryError } from '../errors.ts';
import { explainAks } from './aksRefused.ts';
import type { AksTarget } from './aksTarget.ts';
import { ArmRefusal } from './arm.ts';
import { armReason } from './armReason.ts';

const podTrouble =
  /did not start|KubernetesPerformanceError|KubernetesOperationError|unschedulable|exceeded quota/i;

/** The pod of the command never ran: nothing of the command has happened. */
function podFailed(target: AksTarget, cause: unknown): DeliveryError {
  return new DeliveryError({
    code: 'RUN_COMMAND_POD_FAILED',
    side: 'cluster',
    message: `Cluster '${target.cluster}' did not start the pod that runs commands, so the command did not begin.`,
    remedy:
      "The pod needs 200m CPU and 500Mi memory free on a node, room in the quota of namespace 'aks-command', and its image: look there (kubectl get events -n aks-command), add a node, run again.",
    cause,
  });
}

/** A command whose end was not a result; `reason` is the service's own. */
export function runFailed(target: AksTarget, reason: string): DeliveryError {
  const cause = new Error(reason);
  if (podTrouble.test(reason)) return podFailed(target, cause);
  return new DeliveryError({
    code: 'RUN_COMMAND_FAILED',
    side: 'cluster',
    message: `The command in cluster '${target.cluster}' gave no result; what it has done is not known.`,
    remedy:
      'Run again: what was applied is found and finished, or put right. If it repeats, look at the pods in namespace aks-command.',
    cause,
  });
}

/** A command of somebody else goes on; nothing of this one has happened. */
function busy({ cluster }: AksTarget, cause: unknown): DeliveryError {
  return new DeliveryError({
    code: 'RUN_COMMAND_BUSY',
    side: 'cluster',
    message: `Cluster '${cluster}' runs another command, so this one did not begin.`,
    remedy:
      'Run again when it has ended; keep two pipelines from releasing to one private cluster at once (an exclusive lock on its environment).',
    cause,
  });
}

/** A refusal to run a command, in words that name the role or the setting; other errors stay as they are. */
export function explainRunCommand(error: unknown, target: AksTarget): unknown {
  const refusal = error instanceof DeliveryError && error.code === 'ARM_BUSY' ? error.cause : error;
  if (!(refusal instanceof ArmRefusal)) return error;
  if (podTrouble.test(refusal.code)) return podFailed(target, refusal);
  if (/run ?command/i.test(refusal.message) && /disabled|not enabled/i.test(refusal.message)) {
    return new DeliveryError({
      code: 'RUN_COMMAND_DISABLED',
      side: 'cluster',
      message: `Cluster '${target.cluster}' does not admit commands: its run command feature is disabled.`,
      remedy:
        'Run on an agent inside its network, or enable it: az aks update --enable-run-command -n <cluster> -g <group>.',
      cause: refusal,
    });
  }
  const { subscriptionId, resourceGroup, cluster } = target;
  const action = `run commands in cluster '${cluster}'`;
  const general = armReason(refusal, { action, subscriptionId, resourceGroup });
  if (general !== undefined) return general;
  if (refusal.status === 409 && /run ?command|another command/i.test(refusal.message))
    return busy(target, refusal);
  if (refusal.status === 403) {
    return new DeliveryError({
      code: 'RUN_COMMAND_ROLE_MISSING',
      side: 'identity',
      message: `The identity may not run commands in cluster '${target.cluster}'.`,
      remedy:
        'Grant it a custom role with the actions Microsoft.ContainerService/managedClusters/read, …/runcommand/action and …/commandResults/read on the cluster (docs/identity/kubernetes.md has the commands).',
      cause: refusal,
    });
  }
  return explainAks(error, target);
}
