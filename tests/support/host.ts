import { DeliveryError } from '../../src/errors.ts';
import type { Host, PipelineIdentity, ServiceConnection } from '../../src/host/host.ts';
import { neutralise } from '../../src/host/neutralise.ts';
import { createOnce } from '../../src/host/once.ts';

/** What a task said to its host. */
export interface Recorded {
  readonly lines: string[];
  readonly warnings: string[];
  readonly outputs: Map<string, string>;
  readonly secrets: string[];
  readonly summaries: Map<string, string>;
  readonly attachments: Map<string, string>;
  readonly testResults: Map<string, string>;
}

export interface HostSettings {
  readonly inputs?: Readonly<Record<string, string>>;
  readonly variables?: Readonly<Record<string, string>>;
  readonly connections?: readonly ServiceConnection[];
  readonly pipelineIdentity?: PipelineIdentity;
  readonly workingFolder: string;
  readonly signal?: AbortSignal;
  /** Of child processes; without it that of the tests. */
  readonly environment?: NodeJS.ProcessEnv;
}

/** A host without an agent: inputs from a record, everything said is kept for assertions. */
export function recordingHost(settings: HostSettings): { host: Host; said: Recorded } {
  const said: Recorded = {
    lines: [],
    warnings: [],
    outputs: new Map(),
    secrets: [],
    summaries: new Map(),
    attachments: new Map(),
    testResults: new Map(),
  };
  const host: Host = {
    log: {
      info: (text) => void said.lines.push(neutralise(text)),
      warning: (text) => void said.warnings.push(neutralise(text)),
      debug: () => undefined,
      progress: () => undefined,
    },
    cancelled: settings.signal ?? new AbortController().signal,
    temporaryFolder: settings.workingFolder,
    workingFolder: settings.workingFolder,
    environment: settings.environment ?? process.env,
    input: (name) => settings.inputs?.[name]?.trim() || undefined,
    variable: (name) => settings.variables?.[name],
    pipelineVariables: () =>
      Object.entries(settings.variables ?? {}).map(([name, value]) => ({ name, value, isSecret: false })),
    connection: (id) => {
      const found = settings.connections?.find((connection) => connection.id === id);
      if (found !== undefined) return found;
      throw new DeliveryError({ code: 'SERVICE_CONNECTION_MISSING', side: 'agent', message: id, remedy: '' });
    },
    once: createOnce(),
    pipelineIdentity: () => settings.pipelineIdentity,
    output: (name, value) => void said.outputs.set(name, value),
    secret: (value) => void said.secrets.push(value),
    summary: (title, markdown) => void said.summaries.set(title, markdown),
    attachment: (_type, name, content) => void said.attachments.set(name, content),
    testResults: (title, junit) => {
      said.testResults.set(title, junit);
      return `${title}.xml`;
    },
  };
  return { host, said };
}
