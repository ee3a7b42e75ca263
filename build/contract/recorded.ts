import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { taskNames } from '../layout.ts';
import { readTaskJson } from './taskJson.ts';

/** The names that users' pipelines rely on, by task. */
export interface RecordedTask {
  readonly id: string;
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
}

const file = fileURLToPath(new URL('./recorded.json', import.meta.url));

function currentTask(name: string): RecordedTask {
  const task = readTaskJson(name);
  return {
    id: task.id,
    inputs: task.inputs.map((input) => input.name).sort(),
    outputs: task.outputVariables.map((output) => output.name).sort(),
  };
}

/** What was promised: the file that a release adds names to and never takes names from. */
export function readRecorded(): Record<string, RecordedTask> {
  return JSON.parse(readFileSync(file, 'utf8')) as Record<string, RecordedTask>;
}

/** Adds the names that are new to the record. A name that is gone stays recorded, and fails the check. */
export function recordNames(): void {
  const recorded = readRecorded();
  const union = (a: readonly string[], b: readonly string[]): string[] => [...new Set([...a, ...b])].sort();
  for (const name of taskNames) {
    const now = currentTask(name);
    const before = recorded[name] ?? now;
    recorded[name] = {
      id: before.id,
      inputs: union(before.inputs, now.inputs),
      outputs: union(before.outputs, now.outputs),
    };
  }
  writeFileSync(file, `${JSON.stringify(recorded, undefined, 2)}\n`);
}

function difference(task: string, kind: string, before: readonly string[], now: readonly string[]): string[] {
  return [
    ...before
      .filter((name) => !now.includes(name))
      .map((name) => `${task}: ${kind} '${name}' was promised and is gone`),
    ...now
      .filter((name) => !before.includes(name))
      .map((name) => `${task}: ${kind} '${name}' is new: run npm run check -- --record`),
  ];
}

/** Where a task differs from what was promised. */
export function recordedProblems(recorded = readRecorded()): string[] {
  const missing = Object.keys(recorded).filter((name) => !taskNames.includes(name));
  const changes = taskNames.flatMap((name) => {
    const before = recorded[name];
    if (before === undefined) return [`${name}: the task is new: run npm run check -- --record`];
    const now = currentTask(name);
    const moved = before.id === now.id ? [] : [`${name}: the task's id changed; pipelines would lose it`];
    return [
      ...moved,
      ...difference(name, 'input', before.inputs, now.inputs),
      ...difference(name, 'output', before.outputs, now.outputs),
    ];
  });
  return [...missing.map((name) => `${name}: the task was promised and is gone`), ...changes];
}
