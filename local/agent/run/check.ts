import { nearest } from '../../../src/report/nearest.ts';
import { findBuiltIn } from '../steps/builtin.ts';
import type { InstalledTask } from '../task/definition.ts';
import type { Step } from '../yaml/model.ts';
import { pipelineError } from '../yaml/tree.ts';
import type { RunContext } from './context.ts';
import { nameSteps } from './naming.ts';

/** The task of a step; undefined for what the agent runs itself. Throws PIPELINE_INVALID with the step's place. */
export function taskOf(step: Step, run: RunContext): InstalledTask | undefined {
  if (step.kind !== 'task' || findBuiltIn(step.reference) !== undefined) return undefined;
  try {
    return run.catalog.install(step.reference);
  } catch (error) {
    const { message, remedy } = error as { message: string; remedy?: string };
    throw pipelineError(step.place, message, remedy ?? 'Check the name.');
  }
}

/** Refuses unknown tasks before anything runs, and input names of connections that nobody knows. */
export function checkTasks(run: RunContext): void {
  for (const stage of run.pipeline.stages)
    for (const job of stage.jobs) {
      nameSteps(job.steps);
      for (const step of job.steps) {
        const task = taskOf(step, run);
        if (task !== undefined && step.kind === 'task') checkConnections(step, task, run);
      }
    }
}

function checkConnections(step: Extract<Step, { kind: 'task' }>, task: InstalledTask, run: RunContext): void {
  for (const input of task.definition.inputs ?? []) {
    if (!input.type.toLowerCase().startsWith('connectedservice:')) continue;
    const given = Object.entries(step.inputs).find(
      ([name]) => name.toLowerCase() === input.name.toLowerCase(),
    )?.[1];
    if (given === undefined || given.trim() === '' || given.includes('$(')) continue;
    const key = given.trim().toLowerCase();
    if (run.connections.some(({ name, id }) => name.toLowerCase() === key || id === key)) continue;
    const near = nearest(
      given,
      run.connections.map(({ name }) => name),
      3,
    );
    throw pipelineError(
      step.place,
      `Input '${input.name}' names the service connection '${given}', which does not exist.`,
      near.length === 0
        ? 'No service connections are known: give a file of them with --connections.'
        : `Nearest: ${near.join(', ')}. Add it to the file of service connections.`,
    );
  }
}
