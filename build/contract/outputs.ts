import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { tasksFolder } from '../layout.ts';
import { readTaskJson } from './taskJson.ts';

/** Names that the task's code passes to `host.output`: they must be literals, so that they can be checked. */
export function writtenOutputs(name: string): string[] {
  const folder = join(tasksFolder, name);
  const sources = readdirSync(folder).filter((file) => file.endsWith('.ts'));
  const names = sources.flatMap((file) =>
    [...readFileSync(join(folder, file), 'utf8').matchAll(/\.output\(\s*'([^']+)'/g)].map(
      (match) => match[1] ?? '',
    ),
  );
  return [...new Set(names)].sort();
}

/** Where task.json's output variables and the outputs that the code sets disagree. */
export function outputsProblems(name: string): string[] {
  const declared = readTaskJson(name).outputVariables.map((output) => output.name);
  const written = writtenOutputs(name);
  return [
    ...declared
      .filter((output) => !written.includes(output))
      .map((output) => `${name}: output '${output}' is never set`),
    ...written
      .filter((output) => !declared.includes(output))
      .map((output) => `${name}: output '${output}' is not declared`),
  ];
}
