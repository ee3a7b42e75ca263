import { closeSync, mkdirSync, openSync, writeSync } from 'node:fs';
import { dirname } from 'node:path';
import type { StepResult, TaskResult } from '../results.ts';
import type { Step } from '../yaml/model.ts';
import type { JobContext, StepContext } from './context.ts';

/** A step of a job, ready to run. */
export interface PlannedStep {
  readonly yaml: Step;
  readonly name: string;
  readonly displayName: string;
  readonly task: string;
  readonly logFile: string;
  /** Shared by the handlers of one task before, in and after the job. */
  readonly taskVariables: Map<string, string>;
  readonly run: (step: StepContext) => Promise<void>;
}

/** The step's log: every text goes masked to its file and to the printer. */
export function openLog(job: JobContext, file: string): { write: (text: string) => void; close: () => void } {
  mkdirSync(dirname(file), { recursive: true });
  const log = openSync(file, 'w');
  return {
    write(text) {
      const masked = job.run.masker.mask(text);
      writeSync(log, `${masked}\n`);
      for (const line of masked.split('\n')) job.run.printer.line(line);
    },
    close: () => closeSync(log),
  };
}

/** What the step's code works with while it runs. */
export function contextOf(
  job: JobContext,
  planned: PlannedStep,
  signal: AbortSignal,
  write: (text: string) => void,
): StepContext {
  const { masker, printer } = job.run;
  const issues: StepContext['issues'] = [];
  return {
    job,
    name: planned.name,
    displayName: planned.displayName,
    signal,
    issues,
    outputs: new Map(),
    taskVariables: planned.taskVariables,
    result: undefined,
    log: write,
    issue(type, message) {
      issues.push({ type, message: masker.mask(message) });
      // Further lines stand below the first, behind its tag as it is printed.
      write(`##[${type}]${message.replaceAll('\n', `\n${' '.repeat(type.length + 2)}`)}`);
    },
    progress: (percent, what) => printer.progress(percent, masker.mask(what)),
  };
}

/** The result of a step; one that did not run has no context. */
export function stepResult(
  planned: PlannedStep,
  displayName: string,
  result: TaskResult,
  seconds: number,
  step?: StepContext,
): StepResult {
  const outputs = [...(step?.outputs ?? [])].map(([name, { value, secret }]) => [
    name,
    secret ? '***' : value,
  ]);
  return {
    name: planned.name,
    displayName,
    task: planned.task,
    result,
    seconds,
    outputs: Object.fromEntries(outputs) as Record<string, string>,
    issues: step?.issues ?? [],
    logFile: planned.logFile,
  };
}
