import { execFile } from 'node:child_process';
import { pbkdf2Sync, randomBytes } from 'node:crypto';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { LocalContext } from '../lib/context.ts';
import { daemonRuns, startDaemon, stopDaemon } from '../lib/daemon.ts';
import type { MlflowEndpoint } from '../lib/endpoints.ts';
import { readState, serviceFolder, steadyPort, writePrivate, writeState } from './state.ts';

const service = 'mlflow';
const address = '127.0.0.1';
const username = 'admin';

interface MlflowState {
  readonly port: number;
  readonly password: string;
}

async function settle(context: LocalContext): Promise<MlflowState> {
  const last = await readState<MlflowState>(context, service);
  if (last !== undefined && (await daemonRuns(context, service))) return last;
  const state = {
    port: await steadyPort(address, last?.port),
    password: last?.password ?? randomBytes(24).toString('base64url'),
  };
  await writeState(context, service, state);
  return state;
}

async function writeAccess(folder: string, { password }: MlflowState): Promise<string> {
  const file = join(folder, 'access.ini');
  const lines = [
    '[mlflow]',
    'default_permission = NO_PERMISSIONS',
    `database_uri = sqlite:///${join(folder, 'users.db')}`,
    `admin_username = ${username}`,
    `admin_password = ${password}`,
    'authorization_function = mlflow.server.auth:authenticate_request_basic_auth',
  ];
  await writePrivate(file, `${lines.join('\n')}\n`);
  return file;
}

const storeHash = `
import os, sqlite3
users = sqlite3.connect(os.environ['USERS'])
users.execute('UPDATE users SET password_hash = ?', (os.environ['HASH'],))
users.commit()
`;

/** The lowest cost: each request is checked anew, and a random password needs no slow hash (scrypt: 0.1 s). */
async function lessenCost(python: string, users: string, { password }: MlflowState): Promise<void> {
  const salt = randomBytes(12).toString('hex');
  const hash = pbkdf2Sync(password, salt, 1, 32, 'sha256').toString('hex');
  const env = { PATH: process.env['PATH'], USERS: users, HASH: `pbkdf2:sha256:1$${salt}$${hash}` };
  await promisify(execFile)(python, ['-c', storeHash], { env });
}

/** It refuses a request without credentials. */
async function answers(url: string): Promise<boolean> {
  const search = `${url}/api/2.0/mlflow/registered-models/search`;
  const response = await fetch(search, { signal: AbortSignal.timeout(5_000) });
  await response.arrayBuffer();
  return response.status === 401;
}

/**
 * MLflow's tracking server with its model registry, which hands out artifacts itself; basic authentication, no jobs.
 * `python` is the interpreter that has MLflow. https://mlflow.org/docs/latest/self-hosting/
 */
export async function startMlflow(context: LocalContext, python: string): Promise<MlflowEndpoint> {
  const state = await settle(context);
  const url = `http://${address}:${state.port}`;
  const folder = serviceFolder(context, service);
  await mkdir(join(folder, 'artifacts'), { recursive: true });
  await startDaemon(context, {
    name: service,
    command: python,
    args: [
      ...['-m', 'mlflow', 'server', '--app-name', 'basic-auth', '--serve-artifacts', '--workers', '1'],
      ...['--host', address, '--port', String(state.port)],
      ...['--backend-store-uri', `sqlite:///${join(folder, 'registry.db')}`],
      ...['--artifacts-destination', join(folder, 'artifacts')],
    ],
    env: {
      PATH: process.env['PATH'],
      HOME: folder,
      MLFLOW_AUTH_CONFIG_PATH: await writeAccess(folder, state),
      MLFLOW_FLASK_SERVER_SECRET_KEY: state.password,
      // Half a dozen processes that wait for work which never comes.
      MLFLOW_SERVER_ENABLE_JOB_EXECUTION: 'false',
      MLFLOW_DISABLE_TELEMETRY: 'true',
      PYTHONWARNINGS: 'ignore',
    },
    cwd: folder,
    ready: () => answers(url),
    readyTimeoutMs: 180_000,
  });
  await lessenCost(python, join(folder, 'users.db'), state);
  return { url, username, password: state.password };
}

/** Ends the server; its models stay until the state folder goes. */
export async function stopMlflow(context: LocalContext): Promise<void> {
  await stopDaemon(context, service);
}
