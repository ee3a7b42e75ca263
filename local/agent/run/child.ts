import { existsSync } from 'node:fs';
import { delimiter } from 'node:path';
import { DeliveryError } from '../../../src/errors.ts';
import { type ProcessEnd, runProcess } from '../process.ts';
import { expandMacros } from '../variables.ts';
import type { Step } from '../yaml/model.ts';
import type { StepContext } from './context.ts';

/** A step was cancelled, or ran out of its time. */
export class StepCanceled extends Error {
  constructor() {
    super('The operation was canceled.');
    this.name = 'StepCanceled';
  }
}

/** Expands `$(name)` by the job's variables, then by the machine's environment, as the agent does. */
export function expandFor(step: StepContext): (text: string) => string {
  const { variables, run } = step.job;
  return (text) => expandMacros(variables.expand(text), (name) => run.machine[name]);
}

function pathOf(step: StepContext, environment: Readonly<Record<string, string>>): Record<string, string> {
  const { prependedPaths, variables } = step.job;
  if (prependedPaths.length === 0) return {};
  const key = Object.keys(environment).find((name) => name.toUpperCase() === 'PATH') ?? 'PATH';
  const original = variables.get('PATH') ?? environment[key] ?? '';
  return { [key]: [...prependedPaths.toReversed(), original].join(delimiter) };
}

/** The environment of a step's process: the machine's, the step's `env`, and what the contract adds. */
export function childEnvironment(
  step: StepContext,
  env: Step['env'],
  contract: Readonly<Record<string, string>>,
): Record<string, string> {
  const expand = expandFor(step);
  const own = Object.entries(env).map(([name, value]) => [name.trim(), expand(value.trim())]);
  const environment = { ...step.job.run.machine, ...Object.fromEntries(own), ...contract };
  return { ...environment, ...pathOf(step, environment) };
}

export interface ChildOptions {
  readonly command: string;
  readonly args: readonly string[];
  readonly cwd: string;
  readonly env: Readonly<Record<string, string>>;
  readonly onLine: (line: string, stream: 'stdout' | 'stderr') => void;
  readonly signalWhom: 'process' | 'group';
  /** What to do when the command is not there. */
  readonly remedy: string;
}

/** Runs a step's process. Throws {@link StepCanceled}, or COMMAND_MISSING when it cannot be started. */
export async function runChild(step: StepContext, options: ChildOptions): Promise<ProcessEnd> {
  const { cancelTimes } = step.job.run;
  if (step.signal.aborted) throw new StepCanceled();
  if (!existsSync(options.cwd))
    throw new DeliveryError({
      code: 'WORKING_DIRECTORY_MISSING',
      side: 'input',
      message: `The working directory ${options.cwd} does not exist.`,
      remedy: "Check 'workingDirectory', and that an earlier step makes that folder.",
    });
  const end = await runProcess({ ...options, signal: step.signal, cancelTimes }).catch((cause: unknown) => {
    throw new DeliveryError({
      code: 'COMMAND_MISSING',
      side: 'agent',
      message: `'${options.command}' cannot be started in ${options.cwd}.`,
      remedy: options.remedy,
      cause,
    });
  });
  if (end.leftGroup !== undefined) step.job.leftGroups.push(end.leftGroup);
  if (end.canceled) throw new StepCanceled();
  return end;
}
