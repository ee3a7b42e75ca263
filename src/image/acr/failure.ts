import { DeliveryError } from '../../errors.ts';
import { lineOfInstruction } from '../docker/dockerfile.ts';
import { dockerfileFailed } from '../docker/failed.ts';
import type { TaskRun } from './tasks.ts';

/** A run that has ended without an image. */
export interface EndedRun {
  readonly id: string;
  readonly registry: string;
  readonly run: TaskRun;
  /** The last lines of its log, oldest first. */
  readonly lines: readonly string[];
  /** The Dockerfile's text. */
  readonly text: string;
  readonly timeoutSeconds: number;
}

const stepLine = /^Step \d+\/\d+ : (.+)$/;
const stepFailed = /returned a non-zero code|dockerfile parse error|^failed to solve|: (COPY|ADD) failed/i;
const notAdmitted = /is not allowed access|aka\.ms\/acr\/firewall|failed to login, ran out of retries/i;
const keptLines = 5;

function networkRestricted({ registry }: EndedRun, cause: Error): DeliveryError {
  return new DeliveryError({
    code: 'ACR_NETWORK_RESTRICTED',
    side: 'registry',
    message: `The registry ${registry} does not admit the machines of its own Tasks.`,
    remedy:
      "Name a pool of agents inside the registry's network in 'acrAgentPool' (tier Premium), allow Tasks to bypass its network rules (networkRuleBypassAllowedForTasks), or use another 'engine' on an agent that reaches it.",
    cause,
  });
}

function timedOut({ id, timeoutSeconds }: EndedRun, cause: Error): DeliveryError {
  return new DeliveryError({
    code: 'ACR_RUN_TIMEOUT',
    side: 'engine',
    message: `Run ${id} of Azure Container Registry's Tasks was ended after ${timeoutSeconds} s.`,
    remedy: "Raise 'acrTimeout' (at most 28800 s), or see in the lines above which step does not end.",
    cause,
  });
}

function cancelled({ id }: EndedRun, cause: Error): DeliveryError {
  return new DeliveryError({
    code: 'ACR_RUN_CANCELLED',
    side: 'engine',
    message: `Run ${id} of Azure Container Registry's Tasks was cancelled by someone else than this step.`,
    remedy: "See the registry's activity log for who did so; run again.",
    cause,
  });
}

/** What a run without an image means. */
export function runFailure(ended: EndedRun): DeliveryError {
  const { id, run, lines, text } = ended;
  const last = lines.slice(-keptLines).join(' | ');
  const cause = new Error(run.reason ?? (last === '' ? 'it left no log' : last).slice(0, 2000));
  if (run.status === 'Timeout') return timedOut(ended, cause);
  if (run.status === 'Canceled') return cancelled(ended, cause);
  if (lines.some((line) => notAdmitted.test(line))) return networkRestricted(ended, cause);
  const failing = lines.findLast((line) => stepFailed.test(line));
  if (failing !== undefined) {
    const step = stepLine.exec(lines.findLast((line) => stepLine.test(line)) ?? '')?.[1] ?? '';
    const parsed = /dockerfile parse error(?: on)? line (\d+)/i.exec(failing)?.[1];
    const line = parsed === undefined ? lineOfInstruction(text, step) : Number(parsed);
    return dockerfileFailed({ step: parsed === undefined ? step : '', line, reason: failing });
  }
  return new DeliveryError({
    code: 'ACR_RUN_FAILED',
    side: 'engine',
    message: `Run ${id} of Azure Container Registry's Tasks ended as '${run.status}' without an image.`,
    remedy: 'Its last lines stand above; the whole log: az acr task logs --run-id <id> -r <registry>.',
    cause,
  });
}
