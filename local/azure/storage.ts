import { mkdir, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { Agent, request } from 'undici';
import type { LocalIdentity } from '../identity/index.ts';
import type { LocalContext } from '../lib/context.ts';
import { startDaemon, stopDaemon } from '../lib/daemon.ts';
import { freePort } from '../lib/ports.ts';
import { type StorageFront, startStorageFront } from './storageFront.ts';

const daemon = 'oauth-storage';

/** Blob storage that takes tokens of the local sign-in service, over HTTPS. */
export interface OauthStorage {
  readonly blobEndpoint: string;
  readonly account: string;
  readonly accountKey: string;
  readonly front: StorageFront;
  close(): Promise<void>;
}

/** Starts Azurite; its address. */
async function startAzurite(
  context: LocalContext,
  local: LocalIdentity,
  account: string,
  accountKey: string,
): Promise<string> {
  const folder = join(context.stateFolder, daemon);
  for (const wanted of [folder, context.logFolder]) await mkdir(wanted, { recursive: true });
  const { cert, key } = await local.authority.issue();
  const [certFile, keyFile] = [join(folder, 'cert.pem'), join(folder, 'key.pem')];
  await writeFile(certFile, cert);
  await writeFile(keyFile, key, { mode: 0o600 });
  const port = await freePort();
  const url = `https://127.0.0.1:${port}`;
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
      const answer = await request(`${url}/${account}?comp=list`, { dispatcher });
      await answer.body.dump();
      return answer.statusCode === 403;
    },
  });
  await dispatcher.close();
  return url;
}

/**
 * Azurite with OAuth, behind a front: Azurite checks issuer, audience and times of a token; the front its signature
 * and tenant, and the role of the identity. The pipeline's application and the machine's identities have it until
 * the front's settings say otherwise. https://github.com/Azure/Azurite#oauth-configuration
 */
export async function startOauthStorage(context: LocalContext, local: LocalIdentity): Promise<OauthStorage> {
  const account = 'datascience';
  const accountKey = Buffer.alloc(64, 7).toString('base64');
  const { application, system, userAssigned, tenantId } = local;
  const readers = [application, system, userAssigned].map(({ objectId }) => objectId);
  const azurite = await startAzurite(context, local, account, accountKey);
  const front = await startStorageFront(local, azurite, { readers, tenantId });
  const close = async (): Promise<void> => {
    await front.close();
    await stopDaemon(context, daemon);
  };
  return { blobEndpoint: `${front.url}/${account}`, account, accountKey, front, close };
}
