import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { DeliveryError } from '../../../src/errors.ts';
import { childEnvironment, expandFor, runChild } from '../run/child.ts';
import type { StepContext } from '../run/context.ts';
import { lineHandler } from '../run/target.ts';
import { chooseHandler, type InstalledTask, type Phase } from '../task/definition.ts';
import { taskEnvironment } from '../task/environment.ts';
import { resolveInputs } from '../task/inputs.ts';
import type { Step } from '../yaml/model.ts';

type TaskStep = Extract<Step, { kind: 'task' }>;

function handlerOf(task: InstalledTask, phase: Phase, nodeMajor: number): { target: string; cwd: string } {
  const handler = chooseHandler(task.definition, phase, nodeMajor);
  const target = handler === undefined ? '' : resolve(task.folder, handler.target);
  if (handler !== undefined && existsSync(target)) return { target, cwd: handler.workingDirectory };
  throw new DeliveryError({
    code: 'TASK_HANDLER_MISSING',
    side: 'agent',
    message:
      handler === undefined
        ? `Task ${task.label} has no Node handler.`
        : `Task ${task.label} names ${handler.target} as its ${handler.name} handler, which is not packaged.`,
    remedy: "Declare Node24 and Node20_1 in task.json, and package what 'target' names.",
  });
}

/**
 * Runs one handler of a task as a process of its own, by the agent's contract.
 * Throws when the task cannot be run or its process fails.
 */
export async function runTask(
  step: StepContext,
  yaml: TaskStep,
  task: InstalledTask,
  phase: Phase,
): Promise<void> {
  const { run, folders, variables } = step.job;
  const { target, cwd } = handlerOf(task, phase, run.node.major);
  const { values, connections, warnings } = resolveInputs(task.definition, {
    given: yaml.inputs,
    expand: expandFor(step),
    root: folders.sources,
    connections: run.connections,
  });
  for (const warning of warnings) step.issue('warning', warning);
  const contract = taskEnvironment({
    variables: variables.list(),
    inputs: values,
    connections,
    system: run.system,
    taskVariables: step.taskVariables,
  });
  const end = await runChild(step, {
    command: run.node.path,
    args: [target],
    cwd: cwd === '' ? folders.sources : join(task.folder, cwd),
    env: childEnvironment(step, yaml.env, contract),
    onLine: lineHandler(step, task.definition),
    signalWhom: 'process',
    remedy: 'Give the path of a Node binary with --node.',
  });
  if (end.exitCode !== 0)
    throw new Error(`The process of ${task.label} failed with exit code ${end.exitCode}.`);
}
