import { mkdir, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { Agent, request } from 'undici';
import type { LocalIdentity } from '../identity/index.ts';
import type { LocalContext } from '../lib/context.ts';
import { startDaemon, stopDaemon } from '../lib/daemon.ts';
import { freePort } from '../lib/ports.ts';

const daemon = 'oauth-storage';

/** Blob storage that takes tokens of the local sign-in service, over HTTPS. */
export interface OauthStorage {
  readonly blobEndpoint: string;
  readonly account: string;
  readonly accountKey: string;
  close(): Promise<void>;
}

/**
 * Azurite with OAuth: it checks issuer, audience and times of a token, not its signature, and grants no roles.
 * https://github.com/Azure/Azurite#oauth-configuration
 */
export async function startOauthStorage(context: LocalContext, local: LocalIdentity): Promise<OauthStorage> {
  const folder = join(context.stateFolder, daemon);
  for (const wanted of [folder, context.logFolder]) await mkdir(wanted, { recursive: true });
  const { cert, key } = await local.authority.issue();
  const [certFile, keyFile] = [join(folder, 'cert.pem'), join(folder, 'key.pem')];
  await writeFile(certFile, cert);
  await writeFile(keyFile, key, { mode: 0o600 });
  const port = await freePort();
  const account = 'datascience';
  const accountKey = Buffer.alloc(64, 7).toString('base64');
  const blobEndpoint = `https://127.0.0.1:${port}/${account}`;
  const dispatcher = new Agent({ connect: { ca: local.authority.certificate } });
  const program = createRequire(import.meta.url).resolve('azurite/dist/src/blob/main.js');
  await startDaemon(context, {
    name: daemon,
    command: process.execPath,
    args: [
      ...[program, '--disableTelemetry', '--silent', '--skipApiVersionCheck', '--oauth', 'basic'],
      ...['--cert', certFile, '--key', keyFile, '--location', join(folder, 'data')],
      ...['--blobHost', '127.0.0.1', '--blobPort', `${port}`],
    ],
    env: { ...process.env, AZURITE_ACCOUNTS: `${account}:${accountKey}` },
    ready: async () => {
      const answer = await request(`${blobEndpoint}?comp=list`, { dispatcher });
      await answer.body.dump();
      return answer.statusCode === 403;
    },
  });
  await dispatcher.close();
  return { blobEndpoint, account, accountKey, close: () => stopDaemon(context, daemon) };
}
