import type { TaskResult } from '../results.ts';
import type { SecretMasker } from '../secrets.ts';
import type { TaskDefinition } from '../task/definition.ts';
import type { Variables } from '../variables.ts';

/** What a logging command may change: the step that printed it, its job, and the run. */
export interface CommandTarget {
  readonly stepName: string;
  readonly variables: Variables;
  readonly masker: SecretMasker;
  /** Of the task's definition. */
  readonly restrictions: TaskDefinition['restrictions'];
  /** Lower-case names that task.json declares as output variables. */
  readonly declaredOutputs: ReadonlySet<string>;
  /** Where relative paths in commands start from. */
  readonly folder: string;
  issue(type: 'warning' | 'error', message: string): void;
  debug(text: string): void;
  progress(percent: number, what: string): void;
  complete(result: TaskResult): void;
  output(name: string, value: string, secret: boolean): void;
  taskVariable(name: string, value: string): void;
  prependPath(folder: string): void;
  attach(type: string, name: string, file: string): void;
  publishArtifact(name: string, path: string): void;
  publishTests(files: readonly string[]): void;
  tag(name: string): void;
  buildNumber(value: string): void;
}
