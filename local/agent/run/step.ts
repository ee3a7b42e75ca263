import { setTimeout as sleep } from 'node:timers/promises';
import { explain } from '../../../src/errors.ts';
import { mergeResults, type StepResult, type TaskResult } from '../results.ts';
import { StepCanceled } from './child.ts';
import type { JobContext, StepContext } from './context.ts';
import { contextOf, openLog, type PlannedStep, stepResult } from './planned.ts';
import { conditionHolds, stepStatus } from './status.ts';

/** How the job around a step may end it. */
export interface JobSignals {
  /** The job was cancelled or ran out of time: a step whose condition no longer holds ends. */
  readonly cancel: AbortSignal;
  /** The time for `always()` steps after that is over: every step ends. */
  readonly force: AbortSignal;
}

async function attempt(
  step: StepContext,
  planned: PlannedStep,
  timedOut: () => boolean,
): Promise<TaskResult> {
  try {
    await planned.run(step);
  } catch (error) {
    const canceled = error instanceof StepCanceled;
    const minutes = planned.yaml.timeoutMinutes;
    const message =
      canceled && timedOut() ? `The task has timed out after ${minutes} min.` : explainShort(error);
    step.issue('error', message);
    return mergeResults(step.result, canceled && !timedOut() ? 'Canceled' : 'Failed');
  }
  return step.result ?? 'Succeeded';
}

function explainShort(error: unknown): string {
  return explain(error).replace(/\nCode: UNEXPECTED$/, '');
}

async function withRetries(
  step: StepContext,
  planned: PlannedStep,
  timedOut: () => boolean,
): Promise<TaskResult> {
  const { retryCount } = planned.yaml;
  for (let retry = 0; ; retry += 1) {
    const result = await attempt(step, planned, timedOut);
    if (result !== 'Failed' || retry >= retryCount || step.signal.aborted) return result;
    const delay = step.job.run.retryDelayMs(retry);
    step.issue(
      'warning',
      `The task failed; it is tried again (${retry + 1} of ${retryCount}) in ${delay} ms.`,
    );
    step.result = undefined;
    await sleep(delay, undefined, { signal: step.signal }).catch(() => undefined);
  }
}

/** Runs the step under its time limit and the job's signals, from its header to its last line. */
async function runToEnd(job: JobContext, planned: PlannedStep, signals: JobSignals): Promise<StepResult> {
  const { masker, printer } = job.run;
  const ending = new AbortController();
  let timedOut = false;
  const onCancel = (): void => {
    setStatus(job, 'Canceled');
    if (!holds(job, planned)) ending.abort();
  };
  const onForce = (): void => ending.abort();
  const ms = planned.yaml.timeoutMinutes * 60_000;
  const onTimeout = (): void => {
    timedOut = true;
    ending.abort();
  };
  const timer = ms === 0 ? undefined : setTimeout(onTimeout, ms);
  signals.cancel.addEventListener('abort', onCancel, { once: true });
  signals.force.addEventListener('abort', onForce, { once: true });
  const log = openLog(job, planned.logFile);
  const started = performance.now();
  printer.step(masker.mask(planned.displayName), planned.task);
  try {
    const step = contextOf(job, planned, ending.signal, log.write);
    const raw = await withRetries(step, planned, () => timedOut);
    const result = raw === 'Failed' && planned.yaml.continueOnError ? 'SucceededWithIssues' : raw;
    const seconds = (performance.now() - started) / 1000;
    printer.stepEnd(masker.mask(planned.displayName), result, seconds);
    return stepResult(planned, masker.mask(planned.displayName), result, seconds, step);
  } finally {
    clearTimeout(timer);
    signals.cancel.removeEventListener('abort', onCancel);
    signals.force.removeEventListener('abort', onForce);
    log.close();
  }
}

/** Sets the job's status and the variable that shows it. */
export function setStatus(job: JobContext, status: TaskResult): void {
  job.status = status;
  job.variables.set('Agent.JobStatus', status);
}

function holds(job: JobContext, planned: PlannedStep): boolean {
  return conditionHolds(planned.yaml.condition, job.variables, {}, stepStatus(job.status));
}

/** Runs a step if its condition holds. A condition that cannot be evaluated fails the step. */
export async function runStep(
  job: JobContext,
  planned: PlannedStep,
  signals: JobSignals,
): Promise<StepResult> {
  if (signals.cancel.aborted) setStatus(job, 'Canceled');
  // A name made from a script's first line stays as it is written.
  const isWritten = planned.yaml.displayName !== undefined;
  const displayName = isWritten ? job.variables.expand(planned.displayName) : planned.displayName;
  const expanded = { ...planned, displayName };
  job.variables.set('Task.DisplayName', expanded.displayName);
  job.variables.set('System.TaskDisplayName', expanded.displayName);
  job.variables.set('System.TaskInstanceName', planned.name);
  let wanted: boolean;
  try {
    wanted = !signals.force.aborted && holds(job, planned);
  } catch (error) {
    const failing = { ...expanded, run: () => Promise.reject(error) };
    return runToEnd(job, failing, { cancel: signals.force, force: signals.force });
  }
  if (wanted) return runToEnd(job, expanded, signals);
  const shown = job.run.masker.mask(expanded.displayName);
  job.run.printer.skipped(shown, 'its condition does not hold');
  return stepResult(expanded, shown, 'Skipped', 0);
}
