import { join } from 'node:path';
import { parseExpression } from '../expressions/parser.ts';
import { findBuiltIn, runBuiltIn } from '../steps/builtin.ts';
import { runCheckout } from '../steps/checkout.ts';
import { runScript } from '../steps/script.ts';
import { runTask } from '../steps/task.ts';
import type { InstalledTask, Phase } from '../task/definition.ts';
import type { Job, Step } from '../yaml/model.ts';
import { taskOf } from './check.ts';
import type { JobContext, RunContext, StepContext } from './context.ts';
import { displayNameOf, labelOf, nameSteps } from './naming.ts';
import type { PlannedStep } from './planned.ts';

const noEnv = { enabled: true, continueOnError: false, timeoutMinutes: 0, retryCount: 0, env: {} };

/** The steps that the service adds: a checkout first in a job, downloads first in a deployment job. */
function withImplicit(job: Job, run: RunContext): Step[] {
  const { steps, place } = job;
  const common = { ...noEnv, place };
  if (job.kind === 'job') {
    if (steps.some((step) => step.kind === 'checkout')) return [...steps];
    return [{ ...common, kind: 'checkout', repository: 'self' }, ...steps];
  }
  const written = steps.some(
    (step) => step.kind === 'noDownload' || (step.kind === 'task' && /^Download/.test(step.reference)),
  );
  if (written) return [...steps];
  const sources = ['current', ...run.pipeline.pipelineResources.map(({ alias }) => alias)];
  const downloads = sources.map((source): Step => {
    const path = source === 'current' ? '$(Pipeline.Workspace)' : `$(Pipeline.Workspace)/${source}`;
    const displayName =
      source === 'current' ? "Download this run's artifacts" : `Download artifacts of ${source}`;
    return {
      ...common,
      displayName,
      kind: 'task',
      reference: 'DownloadPipelineArtifact@2',
      inputs: { source, path },
    };
  });
  return [...downloads, ...steps];
}

function bodyOf(
  step: Step,
  task: InstalledTask | undefined,
  phase: Phase,
): (context: StepContext) => Promise<void> {
  if (step.kind === 'script') return (context) => runScript(context, step);
  if (step.kind === 'checkout') return (context) => runCheckout(context, step);
  if (step.kind === 'noDownload') return () => Promise.resolve();
  if (task !== undefined) return (context) => runTask(context, step, task, phase);
  return (context) => {
    const builtIn = findBuiltIn(step.reference);
    if (builtIn === undefined) throw new Error(`${step.reference} is not built in`);
    return runBuiltIn(context, builtIn, step.inputs);
  };
}

const always = {
  source: { kind: 'scalar', text: 'always()', plain: false, place: { file: '', line: 1, column: 1 } },
  expression: parseExpression('always()'),
} as const;

/** The steps of a job in the order they run: handlers before it, its steps, handlers after it (last task first). */
export function planJob(job: JobContext): PlannedStep[] {
  const { run } = job;
  const steps = withImplicit(job.job, run).filter((step) => step.enabled);
  const names = nameSteps(steps);
  const before: Omit<PlannedStep, 'logFile'>[] = [];
  const main: Omit<PlannedStep, 'logFile'>[] = [];
  const after: Omit<PlannedStep, 'logFile'>[] = [];
  for (const [index, yaml] of steps.entries()) {
    const task = taskOf(yaml, run);
    const shared = {
      name: names[index] ?? '',
      task: labelOf(yaml),
      taskVariables: new Map<string, string>(),
    };
    const displayName = displayNameOf(yaml);
    main.push({ ...shared, yaml, displayName, run: bodyOf(yaml, task, 'execution') });
    if (task?.definition.prejobexecution !== undefined)
      before.push({
        ...shared,
        yaml: bare(yaml),
        displayName: `Pre-job: ${displayName}`,
        run: bodyOf(yaml, task, 'prejobexecution'),
      });
    if (task?.definition.postjobexecution !== undefined)
      after.unshift({
        ...shared,
        yaml: { ...bare(yaml), condition: always },
        displayName: `Post-job: ${displayName}`,
        run: bodyOf(yaml, task, 'postjobexecution'),
      });
  }
  return [...before, ...main, ...after].map((step, index) => ({
    ...step,
    logFile: logFile(job, step.name, index),
  }));
}

/** A step as its handlers before and after the job see it: no condition and no limits of the step's own. */
function bare(step: Step): Step {
  const { condition: _condition, ...rest } = step;
  return { ...rest, continueOnError: false, timeoutMinutes: 0, retryCount: 0 };
}

function logFile(job: JobContext, name: string, index: number): string {
  const number = String(index + 1).padStart(2, '0');
  return join(
    job.run.folders.logs,
    `${job.stage.name}.${job.job.name}`.replace(/^__default\./, ''),
    `${number}_${name}.log`,
  );
}
