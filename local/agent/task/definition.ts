/** The parts of task.json that the agent reads. Source: tasks.schema.json of azure-pipelines-task-lib. */
export interface TaskDefinition {
  readonly id: string;
  readonly name: string;
  readonly friendlyName?: string;
  readonly version: {
    readonly Major: number | string;
    readonly Minor: number | string;
    readonly Patch: number | string;
  };
  readonly groups?: readonly { readonly name: string; readonly visibleRule?: string }[];
  readonly inputs?: readonly TaskInput[];
  readonly outputVariables?: readonly { readonly name: string }[];
  readonly prejobexecution?: Handlers;
  readonly execution?: Handlers;
  readonly postjobexecution?: Handlers;
  readonly restrictions?: {
    readonly commands?: { readonly mode?: string };
    readonly settableVariables?: { readonly allowed?: readonly string[] };
  };
}

export type Handlers = Readonly<
  Record<string, { readonly target: string; readonly workingDirectory?: string }>
>;

export interface TaskInput {
  readonly name: string;
  readonly type: string;
  readonly aliases?: readonly string[];
  readonly defaultValue?: string | boolean | number;
  readonly required?: boolean;
  readonly visibleRule?: string;
  readonly groupName?: string;
}

/** A part of a job in which a task may have a handler. */
export type Phase = 'prejobexecution' | 'execution' | 'postjobexecution';

/** A task that is ready to run: its definition and the folder it was extracted to. */
export interface InstalledTask {
  readonly definition: TaskDefinition;
  readonly folder: string;
  /** `Name@Major`. */
  readonly label: string;
}

/** Handlers that run in Node, newest first; their number is the Node they are made for. */
const nodeHandlers: readonly (readonly [string, number])[] = [
  ['Node24', 24],
  ['Node20_1', 20],
  ['Node20', 20],
  ['Node16', 16],
  ['Node10', 10],
  ['Node', 6],
];

/**
 * The handler for a Node of this major version: its own, else the newest that is older.
 * Undefined when the task has no handler in this phase.
 */
export function chooseHandler(
  definition: TaskDefinition,
  phase: Phase,
  nodeMajor: number,
): { readonly name: string; readonly target: string; readonly workingDirectory: string } | undefined {
  const handlers = definition[phase];
  if (handlers === undefined) return undefined;
  const declared = nodeHandlers.filter(([name]) => handlers[name] !== undefined);
  const [name] = declared.find(([, major]) => major <= nodeMajor) ?? declared.at(-1) ?? [];
  const handler = name === undefined ? undefined : handlers[name];
  if (name === undefined || handler === undefined) return undefined;
  return { name, target: handler.target, workingDirectory: handler.workingDirectory ?? '' };
}
