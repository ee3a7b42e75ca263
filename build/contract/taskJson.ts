import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { tasksFolder } from '../layout.ts';

/** The parts of a task.json that the contract check compares. */
export interface TaskJson {
  readonly id: string;
  readonly name: string;
  readonly groups: readonly { readonly name: string }[];
  readonly inputs: readonly TaskInput[];
  readonly outputVariables: readonly { readonly name: string }[];
  readonly execution: Readonly<Record<string, { readonly target: string }>>;
}

export interface TaskInput {
  readonly name: string;
  readonly type: string;
  readonly defaultValue?: string;
  readonly groupName?: string;
  readonly visibleRule?: string;
  readonly options?: Readonly<Record<string, string>>;
  readonly properties?: Readonly<Record<string, string>>;
}

/** task.json of a task in the repository, as it stands; its shape is proved by the schema check. */
export function readTaskJson(name: string): TaskJson {
  return JSON.parse(readFileSync(join(tasksFolder, name, 'task.json'), 'utf8')) as TaskJson;
}
