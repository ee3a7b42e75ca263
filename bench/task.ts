import { cp } from 'node:fs/promises';
import { join } from 'node:path';
import { bundleTask } from '../build/bundle.ts';
import { packagedTaskFolder } from '../build/layout.ts';
import type { Connection } from '../local/agent/connections.ts';
import { machineEnvironment, taskEnvironment } from '../local/agent/task/environment.ts';
import type { RegistryEndpoint } from '../local/lib/endpoints.ts';
import type { Command } from './measure.ts';
import type { Room } from './room.ts';

/** Bundles a task as it is packaged; the copy's folder stays the same whatever is built meanwhile. */
export async function bundled(room: Room, name: string): Promise<string> {
  await bundleTask(name);
  const folder = join(room.folder, 'tasks', name);
  await cp(packagedTaskFolder(name), folder, { recursive: true });
  return folder;
}

export interface TaskRun {
  /** Its folder is the agent's working and temporary folder. */
  readonly room: Room;
  /** Of {@link bundled}. */
  readonly bundle: string;
  readonly inputs: Readonly<Record<string, string>>;
  readonly connections?: readonly Connection[];
}

/** The local registry as a service connection. */
export function registryConnection({ url, username, password }: RegistryEndpoint): Connection {
  return {
    ...{ name: 'registry', id: '6b6f2c1e-54a5-4b55-9c0f-2b0b4f0a7d11', type: 'dockerregistry', url },
    ...{ scheme: 'UsernamePassword', parameters: { registry: url, username, password } },
    data: { registrytype: 'Others' },
  };
}

/** The command by which an agent starts the task: inputs and service connections in its environment. */
export function taskCommand({ room, bundle, inputs, connections = [] }: TaskRun): Command {
  const { folder, nodeFlags } = room;
  const variable = (name: string, value: string) => ({ name, value, secret: false, readOnly: true });
  const given = taskEnvironment({
    variables: [
      variable('Agent.TempDirectory', folder),
      variable('System.DefaultWorkingDirectory', folder),
      variable('Pipeline.Workspace', folder),
      variable('Build.BuildId', '1'),
    ],
    inputs,
    connections,
    system: { url: 'http://127.0.0.1:9/', accessToken: 'none' },
    taskVariables: new Map(),
  });
  return {
    command: process.execPath,
    args: [...nodeFlags, join(bundle, 'index.js')],
    env: { ...machineEnvironment(process.env), ...given },
    cwd: folder,
  };
}

/** Fails when the task said that it failed: its process ends with 0 all the same. */
export function checkTask(output: string): void {
  const failure = /^##vso\[task\.complete result=Failed;[^\]]*\](.*)$/m.exec(output)?.[1];
  if (failure !== undefined) throw new Error(failure.replaceAll('%0A', '\n'));
}
