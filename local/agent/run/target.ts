import { copyFileSync, mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { followCommand } from '../commands/execute.ts';
import type { CommandTarget } from '../commands/target.ts';
import { mergeResults } from '../results.ts';
import { addTotals, noTests, parseJUnit } from '../steps/junit.ts';
import type { TaskDefinition } from '../task/definition.ts';
import type { StepContext } from './context.ts';

function attach(step: StepContext, type: string, name: string, file: string): void {
  const { run, stage, job } = step.job;
  const place = `${stage.name}.${job.name}.${step.name}`;
  const folder = join(run.folders.logs, 'attachments', place, type);
  mkdirSync(folder, { recursive: true });
  copyFileSync(file, join(folder, name));
  run.state.attachments.push({ step: step.name, type, name, file: join(folder, name) });
  if (!type.startsWith('Distributedtask.')) run.artifacts.attach(run.buildId, place, { type, name, file });
}

/** Reads JUnit files and adds them to the run's totals; returns the number of failed tests. */
export function publishTests(step: StepContext, files: readonly string[]): number {
  const totals = files.map((file) => parseJUnit(readFileSync(file, 'utf8'), file)).reduce(addTotals, noTests);
  const { state } = step.job.run;
  state.tests = addTotals(state.tests ?? noTests, totals);
  step.log(`Tests: ${totals.passed} passed, ${totals.failed} failed, ${totals.skipped} skipped`);
  return totals.failed;
}

/** Publishes an artifact of this run. */
export function publishArtifact(step: StepContext, name: string, path: string): void {
  const { run } = step.job;
  const folder = run.artifacts.publish(run.buildId, name, path);
  step.log(`Published artifact '${name}' from ${path} to ${folder}`);
}

function targetOf(step: StepContext, definition: TaskDefinition | undefined): CommandTarget {
  const { run, variables, prependedPaths, folders } = step.job;
  const debug = (text: string): void => {
    if (variables.get('system.debug')?.toLowerCase() === 'true') step.log(`##[debug]${text}`);
  };
  return {
    stepName: step.name,
    variables,
    masker: run.masker,
    restrictions: definition?.restrictions,
    declaredOutputs: new Set(definition?.outputVariables?.map(({ name }) => name.toLowerCase())),
    folder: folders.sources,
    issue: (type, message) => step.issue(type, message),
    debug,
    progress: (percent, what) => step.progress(percent, what),
    complete: (result) => {
      step.result = mergeResults(step.result, result);
    },
    output: (name, value, secret) => void step.outputs.set(name, { value, secret }),
    taskVariable: (name, value) => void step.taskVariables.set(name, value),
    prependPath: (folder) => {
      const at = prependedPaths.indexOf(folder);
      if (at >= 0) prependedPaths.splice(at, 1);
      prependedPaths.push(folder);
    },
    attach: (type, name, file) => attach(step, type, name, file),
    publishArtifact: (name, path) => publishArtifact(step, name, path),
    publishTests: (files) => void publishTests(step, files),
    tag: (name) => void run.state.tags.push(name),
    buildNumber: (value) => {
      run.state.buildNumber = value;
      variables.set('Build.BuildNumber', value);
    },
  };
}

/** Takes a process's lines: a logging command is followed, all other text goes to the step's log. */
export function lineHandler(step: StepContext, definition?: TaskDefinition): (line: string) => void {
  const target = targetOf(step, definition);
  return (line) => {
    if (!followCommand(line, target)) step.log(line);
  };
}
