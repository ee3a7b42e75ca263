import { randomBytes } from 'node:crypto';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { LocalContext } from '../lib/context.ts';
import { daemonRuns, startDaemon, stopDaemon } from '../lib/daemon.ts';
import type { S3Endpoint } from '../lib/endpoints.ts';
import { readState, serviceFolder, steadyPort, writeState } from './state.ts';

const service = 's3';
const address = '127.0.0.1';
const region = 'eu-central-1';

interface S3State {
  readonly port: number;
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
}

async function settle(context: LocalContext): Promise<S3State> {
  const last = await readState<S3State>(context, service);
  if (last !== undefined && (await daemonRuns(context, service))) return last;
  const state = {
    port: await steadyPort(address, last?.port),
    accessKeyId: last?.accessKeyId ?? `MD${randomBytes(9).toString('hex').toUpperCase()}`,
    secretAccessKey: last?.secretAccessKey ?? randomBytes(30).toString('base64url'),
  };
  await writeState(context, service, state);
  return state;
}

/** It answers an unsigned request with S3's own refusal. */
async function answers(url: string): Promise<boolean> {
  const response = await fetch(url, { signal: AbortSignal.timeout(2_000) });
  return response.status === 403 && (await response.text()).includes('<Code>AccessDenied</Code>');
}

/**
 * S3: the Versity Gateway on a folder, with random keys, versioned buckets, addressed by path or as
 * `<bucket>.localhost`; its objects survive a restart. https://github.com/versity/versitygw/wiki
 */
export async function startS3(context: LocalContext, binary: string): Promise<S3Endpoint> {
  const { port, accessKeyId, secretAccessKey } = await settle(context);
  const url = `http://${address}:${port}`;
  const folder = serviceFolder(context, service);
  const [data, versions] = [join(folder, 'data'), join(folder, 'versions')];
  await Promise.all([data, versions].map((path) => mkdir(path, { recursive: true })));
  await startDaemon(context, {
    name: service,
    command: binary,
    args: ['posix', '--versioning-dir', versions, data],
    // Nothing of the caller's environment, and no key in the command line, which is everybody's to read.
    env: {
      PATH: process.env['PATH'],
      VGW_PORT: `${address}:${port}`,
      VGW_REGION: region,
      VGW_VIRTUAL_DOMAIN: `localhost:${port}`,
      VGW_KEEP_ALIVE: 'true',
      VGW_QUIET: 'true',
      ROOT_ACCESS_KEY: accessKeyId,
      ROOT_SECRET_KEY: secretAccessKey,
    },
    ready: () => answers(url),
  });
  return { url, region, accessKeyId, secretAccessKey };
}

/** Ends the gateway; its objects stay until the state folder goes. */
export async function stopS3(context: LocalContext): Promise<void> {
  await stopDaemon(context, service);
}
