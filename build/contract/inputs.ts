import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { Field, Fields } from '../../src/host/inputs.ts';
import { tasksFolder } from '../layout.ts';
import { readTaskJson, type TaskInput, type TaskJson } from './taskJson.ts';

const typesOfKind: Readonly<Record<Field<unknown>['kind'], RegExp>> = {
  text: /^(string|multiLine|pickList)$/,
  lines: /^multiLine$/,
  flag: /^boolean$/,
  choice: /^(pickList|radio)$/,
  integer: /^string$/,
  path: /^(filePath|string)$/,
  connection: /^connectedService:/,
};

/** The inputs that a task's code reads. */
export async function readFields(name: string): Promise<Fields> {
  const module: unknown = await import(pathToFileURL(join(tasksFolder, name, 'fields.ts')).href);
  if (typeof module === 'object' && module !== null && 'fields' in module) return module.fields as Fields;
  throw new Error(`tasks/${name}/fields.ts must export 'fields'.`);
}

function inputProblems(input: TaskInput, field: Field<unknown>): string[] {
  const problems: string[] = [];
  if (!typesOfKind[field.kind].test(input.type))
    problems.push(`type ${input.type} does not fit ${field.kind}`);
  if ((input.defaultValue ?? '') !== (field.defaultValue ?? '')) {
    problems.push(`default '${input.defaultValue ?? ''}' is '${field.defaultValue ?? ''}' in code`);
  }
  const declared = Object.keys(input.options ?? {}).sort();
  const offered = [...(field.options ?? [])].sort();
  const editable = input.properties?.['EditableOptions'] === 'True';
  if (!editable && declared.join() !== offered.join())
    problems.push(`options ${declared} are ${offered} in code`);
  return problems.map((problem) => `input '${input.name}': ${problem}`);
}

function placementProblems(task: TaskJson): string[] {
  const groups = new Set(task.groups.map((group) => group.name));
  const names = new Set(task.inputs.map((input) => input.name));
  return task.inputs.flatMap((input) => {
    const unknownGroup = input.groupName !== undefined && !groups.has(input.groupName);
    const ruled = [...(input.visibleRule ?? '').matchAll(/(\w+)\s*(?:=|!=|\bin\b|\bnotIn\b)/g)].map(
      (match) => match[1] ?? '',
    );
    return [
      ...(unknownGroup ? [`input '${input.name}': group '${input.groupName}' does not exist`] : []),
      ...ruled
        .filter((rule) => !names.has(rule))
        .map((rule) => `input '${input.name}': rule names unknown '${rule}'`),
    ];
  });
}

/** Where task.json and the inputs that the code reads disagree. */
export async function inputsProblems(name: string): Promise<string[]> {
  const task = readTaskJson(name);
  const fields = await readFields(name);
  const declared = new Map(task.inputs.map((input) => [input.name, input]));
  const unread = task.inputs.filter((input) => fields[input.name] === undefined).map((input) => input.name);
  const problems = [
    ...unread.map((input) => `input '${input}' is declared but never read`),
    ...Object.entries(fields).flatMap(([field, declaration]) => {
      const input = declared.get(field);
      return input === undefined
        ? [`input '${field}' is read but not declared`]
        : inputProblems(input, declaration);
    }),
    ...placementProblems(task),
  ];
  return problems.map((problem) => `${name}: ${problem}`);
}
