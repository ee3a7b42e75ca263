import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { tasksFolder } from '../layout.ts';

/** The parts of a task.json that the contract check compares. */
export interface TaskJson {
  readonly id: string;
  readonly name: string;
  readonly groups: readonly { readonly name: string }[];
  readonly inputs: readonly TaskInput[];
  readonly dataSourceBindings?: readonly DataSourceBinding[];
  readonly outputVariables: readonly { readonly name: string }[];
  readonly execution: Readonly<Record<string, { readonly target: string }>>;
}

/**
 * Where an input's choices come from: a source that the connection's type has by name, or a request of its own.
 * https://learn.microsoft.com/azure/devops/extend/develop/service-endpoints#data-source-bindings
 */
export interface DataSourceBinding {
  /** The input that is filled. */
  readonly target: string;
  /** The input that holds the service connection, as `$(name)`. */
  readonly endpointId: string;
  readonly dataSourceName?: string;
  readonly parameters?: Readonly<Record<string, string>>;
  readonly endpointUrl?: string;
  readonly resultSelector?: string;
  readonly resultTemplate?: string;
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
