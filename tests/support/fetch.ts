import { readdir } from 'node:fs/promises';
import { join, relative, sep } from 'node:path';
import type { StorageEndpoint } from '../../local/lib/endpoints.ts';
import { DeliveryError, explain } from '../../src/errors.ts';
import type { ServiceConnection } from '../../src/host/host.ts';
import { run } from '../../tasks/FetchModel/run.ts';
import { type Recorded, recordingHost } from './host.ts';

export type Inputs = Readonly<Record<string, string>>;

/** The step's inputs for an account key; tests change what they are about. */
export function keyInputs(storage: StorageEndpoint, container: string, targetFolder: string): Inputs {
  return {
    source: 'azureBlob',
    authentication: 'accountKey',
    storageAccount: storage.account,
    blobEndpoint: storage.blobEndpoint,
    accountKey: storage.accountKey,
    container,
    targetFolder,
  };
}

/** Runs the task in this process. */
export async function fetchModel(
  inputs: Inputs,
  signal?: AbortSignal,
  connections: readonly ServiceConnection[] = [],
): Promise<Recorded> {
  const workingFolder = inputs['targetFolder'] ?? '.';
  const { host, said } = recordingHost({
    ...{ inputs, connections },
    workingFolder: join(workingFolder, '..'),
    ...(signal && { signal }),
  });
  await run(host);
  return said;
}

/** How a run fails, as the log would show it. */
export interface Failure {
  readonly code: string;
  readonly text: string;
}

/** Runs the task, which must fail with an explained error. */
export async function failureOf(
  inputs: Inputs,
  signal?: AbortSignal,
  connections: readonly ServiceConnection[] = [],
): Promise<Failure> {
  try {
    await fetchModel(inputs, signal, connections);
  } catch (error) {
    if (!(error instanceof DeliveryError)) throw error;
    return { code: error.code, text: explain(error) };
  }
  throw new Error('the task succeeded');
}

/** Paths of all files below a folder, with `/`, sorted. */
export async function filesBelow(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true }).catch(() => []);
  return entries
    .filter((entry) => !entry.isDirectory())
    .map((entry) => relative(folder, join(entry.parentPath, entry.name)).split(sep).join('/'))
    .sort();
}
