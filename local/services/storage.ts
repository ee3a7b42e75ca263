import { randomBytes } from 'node:crypto';
import { mkdir } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import type { LocalContext } from '../lib/context.ts';
import { daemonRuns, startDaemon, stopDaemon } from '../lib/daemon.ts';
import type { StorageEndpoint } from '../lib/endpoints.ts';
import { readState, serviceFolder, steadyPort, writeState } from './state.ts';

const service = 'storage';
const address = '127.0.0.1';

interface StorageState {
  readonly port: number;
  readonly account: string;
  readonly accountKey: string;
}

async function settle(context: LocalContext): Promise<StorageState> {
  const last = await readState<StorageState>(context, service);
  if (last !== undefined && (await daemonRuns(context, service))) return last;
  const state = {
    port: await steadyPort(address, last?.port),
    // Not the well-known emulator account: a client that ignores its configuration must fail here too.
    account: last?.account ?? 'datascience',
    accountKey: last?.accountKey ?? randomBytes(64).toString('base64'),
  };
  await writeState(context, service, state);
  return state;
}

async function answers(blobEndpoint: string): Promise<boolean> {
  const response = await fetch(`${blobEndpoint}?comp=list`, { signal: AbortSignal.timeout(2_000) });
  await response.arrayBuffer();
  return response.headers.get('server')?.startsWith('Azurite') ?? false;
}

/**
 * Azure Blob storage: Azurite, with an account and a random key of its own; its blobs survive a restart.
 * https://learn.microsoft.com/azure/storage/common/storage-use-azurite
 */
export async function startStorage(context: LocalContext): Promise<StorageEndpoint> {
  const { port, account, accountKey } = await settle(context);
  const blobEndpoint = `http://${address}:${port}/${account}`;
  const location = join(serviceFolder(context, service), 'data');
  await mkdir(location, { recursive: true });
  const program = createRequire(import.meta.url).resolve('azurite/dist/src/blob/main.js');
  const options = ['--disableTelemetry', '--silent', '--skipApiVersionCheck'];
  await startDaemon(context, {
    name: service,
    command: process.execPath,
    args: [program, ...options, '--blobHost', address, '--blobPort', `${port}`, '--location', location],
    // The key travels in the environment: command lines are everybody's to read.
    env: { ...process.env, AZURITE_ACCOUNTS: `${account}:${accountKey}` },
    ready: () => answers(blobEndpoint),
  });
  return { blobEndpoint, account, accountKey };
}

/** Ends Azurite; its blobs stay until the state folder goes. */
export async function stopStorage(context: LocalContext): Promise<void> {
  await stopDaemon(context, service);
}
