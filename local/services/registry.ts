import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { hash } from 'bcryptjs';
import { stringify } from 'yaml';
import type { LocalContext } from '../lib/context.ts';
import { daemonRuns, startDaemon, stopDaemon } from '../lib/daemon.ts';
import type { RegistryEndpoint } from '../lib/endpoints.ts';
import { canListen, readState, serviceFolder, steadyPort, writePrivate, writeState } from './state.ts';

const service = 'registry';
const username = 'delivery-robot';

interface RegistryState {
  readonly address: string;
  readonly port: number;
  readonly password: string;
  /** Signs the state of unfinished uploads. */
  readonly uploadSecret: string;
}

/** What {@link startRegistry} needs. */
export interface RegistryOptions {
  /** Path of distribution's registry program. */
  readonly binary: string;
  /** Address to listen on, for example the host's one in the cluster's network; without it the last one, else loopback. */
  readonly address?: string;
}

async function chooseAddress(last: RegistryState | undefined): Promise<string> {
  return last !== undefined && (await canListen(last.address, 0)) ? last.address : '127.0.0.1';
}

async function settle(context: LocalContext, wanted: string | undefined): Promise<RegistryState> {
  const last = await readState<RegistryState>(context, service);
  const address = wanted ?? (await chooseAddress(last));
  if (last?.address === address && (await daemonRuns(context, service))) return last;
  await stopDaemon(context, service);
  const state = {
    address,
    port: await steadyPort(address, last?.port),
    password: last?.password ?? randomBytes(24).toString('base64url'),
    uploadSecret: last?.uploadSecret ?? randomBytes(24).toString('base64url'),
  };
  await writeState(context, service, state);
  return state;
}

async function writeConfiguration(folder: string, state: RegistryState): Promise<string> {
  const passwords = join(folder, 'htpasswd');
  // The lowest cost: each request is checked anew, and a random password needs no slow hash.
  await writePrivate(passwords, `${username}:${await hash(state.password, 4)}\n`);
  const file = join(folder, 'config.yml');
  const configuration = {
    version: 0.1,
    log: { level: 'info' },
    storage: { filesystem: { rootdirectory: join(folder, 'data') }, delete: { enabled: true } },
    http: { addr: `${state.address}:${state.port}`, secret: state.uploadSecret },
    auth: { htpasswd: { realm: 'model-delivery', path: passwords } },
  };
  await writePrivate(file, stringify(configuration));
  return file;
}

async function answers(url: string): Promise<boolean> {
  const response = await fetch(`${url}/v2/`, { signal: AbortSignal.timeout(2_000) });
  await response.arrayBuffer();
  return response.status === 401 && response.headers.has('docker-distribution-api-version');
}

/**
 * A private image registry: distribution's, plain HTTP, basic authentication, deletes allowed. Its images
 * survive a restart, also one on another address.
 * https://distribution.github.io/distribution/about/configuration/
 */
export async function startRegistry(
  context: LocalContext,
  options: RegistryOptions,
): Promise<RegistryEndpoint> {
  const state = await settle(context, options.address);
  const host = `${state.address}:${state.port}`;
  const url = `http://${host}`;
  await startDaemon(context, {
    name: service,
    command: options.binary,
    args: ['serve', await writeConfiguration(serviceFolder(context, service), state)],
    // Nothing of the caller's environment: REGISTRY_… variables would override the configuration.
    env: { PATH: process.env['PATH'], OTEL_TRACES_EXPORTER: 'none' },
    ready: () => answers(url),
  });
  return { url, host, username, password: state.password };
}

/** Ends the registry; its images stay until the state folder goes. */
export async function stopRegistry(context: LocalContext): Promise<void> {
  await stopDaemon(context, service);
}
