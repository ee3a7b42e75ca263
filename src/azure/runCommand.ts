import { setTimeout as sleep } from 'node:timers/promises';
import { strToU8, zipSync } from 'fflate';
import { DeliveryError } from '../errors.ts';
import { parseRetryAfter } from '../http/retry.ts';
import type { CommandRequest, CommandResult, RunCommand } from '../kube/command/run.ts';
import type { AksTarget } from './aksTarget.ts';
import { type Arm, armFollow, armSend } from './arm.ts';
import { type AzureAnswer, fieldsOf } from './http.ts';
import { aksApiVersion, type ClusterFacts, clusterPath } from './managedCluster.ts';
import { explainRunCommand, runFailed } from './runCommandRefused.ts';
import { scopeFor } from './signIn.ts';

/** The resource manager takes no request above 4 MiB. */
const largestBody = 4_000_000;
const pollMs = 2000;

function packed(files: CommandRequest['files']): string {
  const entries = Object.entries(files).map(([name, text]) => [name, strToU8(text)] as const);
  // A zip has times from 1980 on only, and this one needs none.
  const zip = zipSync(Object.fromEntries(entries), { mtime: new Date(1980, 0, 2) });
  return Buffer.from(zip).toString('base64');
}

function checkSize(body: object): void {
  const size = JSON.stringify(body).length;
  if (size <= largestBody) return;
  throw new DeliveryError({
    code: 'RUN_COMMAND_TOO_LARGE',
    side: 'input',
    message: `The objects for the private cluster come to ${size} bytes packed; Azure's resource manager takes 4 MiB.`,
    remedy: 'Deploy fewer objects at once, and keep data out of them.',
  });
}

function header(answer: AzureAnswer, name: string): string | undefined {
  const value = answer.headers[name];
  return Array.isArray(value) ? value[0] : value;
}

function resultOf(answer: AzureAnswer, target: AksTarget): CommandResult {
  const found = fieldsOf(answer)['properties'];
  const properties = typeof found === 'object' && found !== null ? (found as Record<string, unknown>) : {};
  const { provisioningState, exitCode, logs, reason } = properties;
  if (provisioningState === 'Succeeded' && typeof exitCode === 'number') {
    return { exitCode, log: typeof logs === 'string' ? logs : '' };
  }
  throw runFailed(target, typeof reason === 'string' ? reason : `state ${String(provisioningState)}`);
}

async function submitted(arm: Arm, target: AksTarget, body: object): Promise<AzureAnswer> {
  const path = `${clusterPath(target)}/runCommand`;
  return armSend(arm, { method: 'POST', path, apiVersion: aksApiVersion, body });
}

/** Asks for the result until there is one. */
async function awaited(
  arm: Arm,
  first: AzureAnswer,
  target: AksTarget,
  timeoutMs: number,
): Promise<AzureAnswer> {
  const end = performance.now() + timeoutMs;
  let answer = first;
  while (answer.status === 202) {
    const location = header(answer, 'location') ?? header(first, 'location') ?? '';
    await sleep(parseRetryAfter(header(answer, 'retry-after')) ?? pollMs, undefined, { signal: arm.signal });
    answer = await armFollow(arm, location);
    if (answer.status === 202 && performance.now() > end) {
      throw runFailed(target, `it has not ended within ${Math.round(timeoutMs / 1000)} s`);
    }
  }
  return answer;
}

/**
 * Runs commands in a pod that AKS starts inside the cluster, beside its API server: the way into a private cluster
 * for an agent outside its network. Throws RUN_COMMAND_… errors for commands that did not run to their end, and
 * what the resource manager's client throws; a command's own failure is its exit code.
 * https://learn.microsoft.com/rest/api/aks/managed-clusters/run-command
 */
export function createRunCommand(
  arm: Arm,
  target: AksTarget,
  facts: ClusterFacts,
  secret: (value: string) => void,
): RunCommand {
  const clusterToken = async (): Promise<{ clusterToken?: string }> => {
    if (!facts.usesEntra) return {};
    const { token } = await arm.identity.getToken(scopeFor(arm.cloud.aksAudience));
    secret(token);
    return { clusterToken: token };
  };
  return async ({ command, files, timeoutMs }) => {
    const body = { command, context: packed(files), ...(await clusterToken()) };
    checkSize(body);
    try {
      const answer = await submitted(arm, target, body);
      return resultOf(await awaited(arm, answer, target, timeoutMs), target);
    } catch (error) {
      throw explainRunCommand(error, target);
    }
  };
}
