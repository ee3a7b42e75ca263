import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { evaluate } from '../expressions/evaluate.ts';
import { toText, type Value } from '../expressions/values.ts';
import { killGroup } from '../process.ts';
import { type JobResult, mergeResults, type StepResult, type TaskResult } from '../results.ts';
import { createVariables, type Variables } from '../variables.ts';
import type { Job, Stage, VariableDeclaration } from '../yaml/model.ts';
import type { JobContext, JobFolders, RunContext } from './context.ts';
import { planJob } from './plan.ts';
import { type JobSignals, runStep, setStatus } from './step.ts';
import { setPredefined } from './system.ts';

function foldersOf(work: string): JobFolders {
  const workspace = join(work, '1');
  return {
    workspace,
    sources: join(workspace, 's'),
    staging: join(workspace, 'a'),
    binaries: join(workspace, 'b'),
    testResults: join(workspace, 'TestResults'),
    temp: join(work, '_temp'),
  };
}

async function freshFolders(folders: JobFolders): Promise<void> {
  await removeFolders(folders);
  for (const folder of Object.values(folders)) await mkdir(folder, { recursive: true });
}

async function removeFolders(folders: JobFolders): Promise<void> {
  for (const folder of [folders.workspace, folders.temp])
    await rm(folder, { recursive: true, force: true, maxRetries: 3 });
}

/** A variable's value when the job begins: `$[ ]` is evaluated, everything else stays as written. */
function startValue(
  declaration: VariableDeclaration,
  variables: Variables,
  objects: Record<string, Value>,
): string {
  const { expression } = declaration;
  if (expression === undefined) return declaration.value;
  const context = { objects: { variables: variables.lookup(), ...objects }, statusFunctions: {} };
  return toText(evaluate(expression, context));
}

/** The variables of a job before its first step; those given from outside hide those of the file. */
export function jobVariables(
  run: RunContext,
  stage: Stage,
  job: Job,
  objects: Record<string, Value>,
): Variables {
  const variables = createVariables(run.masker);
  setPredefined(variables, run, stage, job, foldersOf(run.folders.work));
  const given = new Set(run.given.map(({ name }) => name.toLowerCase()));
  for (const { name, value, secret } of run.given) variables.set(name, value, { secret });
  for (const declaration of [...run.pipeline.variables, ...stage.variables, ...job.variables]) {
    if (given.has(declaration.name.toLowerCase())) continue;
    const value = startValue(declaration, variables, objects);
    variables.set(declaration.name, value, { readOnly: declaration.readOnly });
  }
  return variables;
}

/** Signals of one job: cancelled with the run or when its time is over, forced some minutes after that. */
function jobSignals(run: RunContext, job: Job): JobSignals & { timedOut: () => boolean; stop: () => void } {
  const cancel = new AbortController();
  const force = new AbortController();
  const timers: NodeJS.Timeout[] = [];
  let timedOut = false;
  const begin = (): void => {
    if (cancel.signal.aborted) return;
    cancel.abort();
    timers.push(setTimeout(() => force.abort(), job.cancelTimeoutMinutes * 60_000));
  };
  run.signal.addEventListener('abort', begin, { once: true });
  if (run.signal.aborted) begin();
  const onTimeout = (): void => {
    timedOut = !cancel.signal.aborted;
    begin();
  };
  if (job.timeoutMinutes > 0) timers.push(setTimeout(onTimeout, job.timeoutMinutes * 60_000));
  return {
    cancel: cancel.signal,
    force: force.signal,
    timedOut: () => timedOut,
    stop() {
      run.signal.removeEventListener('abort', begin);
      for (const timer of timers) clearTimeout(timer);
    },
  };
}

function statusAfter(status: TaskResult, step: StepResult): TaskResult {
  return step.result === 'SucceededWithIssues' || step.result === 'Failed'
    ? mergeResults(status, step.result)
    : status;
}

/** Output variables of a job by `step.variable`, secret ones included: what later jobs read. */
export type JobOutputs = Readonly<Record<string, string>>;

function outputsOf(context: JobContext, steps: readonly StepResult[]): JobOutputs {
  const names = steps.flatMap((step) => Object.keys(step.outputs).map((name) => `${step.name}.${name}`));
  return Object.fromEntries(names.map((name) => [name, context.variables.get(name) ?? '']));
}

/** Runs a job in fresh folders, which are removed when it ends. */
export async function runJob(
  run: RunContext,
  stage: Stage,
  job: Job,
  variables: Variables,
): Promise<{ result: JobResult; outputs: JobOutputs }> {
  const started = performance.now();
  const folders = foldersOf(run.folders.work);
  const context: JobContext = {
    run,
    stage,
    job,
    folders,
    variables,
    leftGroups: [],
    prependedPaths: [],
    status: 'Succeeded',
  };
  const signals = jobSignals(run, job);
  const steps: StepResult[] = [];
  try {
    await freshFolders(folders);
    for (const planned of planJob(context)) {
      const step = await runStep(context, planned, signals);
      steps.push(step);
      setStatus(context, statusAfter(context.status, step));
    }
    if (signals.cancel.aborted) setStatus(context, 'Canceled');
  } finally {
    signals.stop();
    for (const group of context.leftGroups) killGroup(group);
    await removeFolders(folders);
  }
  if (signals.timedOut())
    run.printer.line(`##[error]Job ${job.displayName} ran longer than its ${job.timeoutMinutes} min.`);
  const status = context.status === 'Failed' && job.continueOnError ? 'SucceededWithIssues' : context.status;
  const seconds = (performance.now() - started) / 1000;
  return {
    result: { name: job.name, displayName: job.displayName, result: status, seconds, steps },
    outputs: outputsOf(context, steps),
  };
}
