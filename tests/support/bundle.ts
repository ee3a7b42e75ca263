import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { packagedTaskFolder } from '../../build/layout.ts';
import type { LocalIdentity } from '../../local/identity/index.ts';
import type { ServiceConnection } from '../../src/host/host.ts';
import { textBelow } from './secretScan.ts';

function connectionEnvironment(connection: ServiceConnection): Record<string, string> {
  const { id, scheme, parameters, data, url } = connection;
  const fields = Object.entries(data).map(([key, value]) => [
    `ENDPOINT_DATA_${id}_${key.toUpperCase()}`,
    value,
  ]);
  return {
    ...(Object.fromEntries(fields) as Record<string, string>),
    [`ENDPOINT_URL_${id}`]: url,
    [`ENDPOINT_AUTH_${id}`]: JSON.stringify({ parameters, scheme }),
  };
}

/** What the agent gives a task: inputs, the service connection that they name, and the job's own connection. */
export function agentEnvironment(
  local: LocalIdentity,
  connections: readonly ServiceConnection[],
  inputs: Readonly<Record<string, string>>,
): Record<string, string> {
  const given = Object.entries(inputs).map(([name, value]) => [`INPUT_${name.toUpperCase()}`, value]);
  const job = { parameters: { AccessToken: local.devops.accessToken }, scheme: 'OAuth' };
  return {
    ...(Object.fromEntries(given) as Record<string, string>),
    ...Object.assign({}, ...connections.map(connectionEnvironment)),
    ENDPOINT_AUTH_SYSTEMVSSCONNECTION: JSON.stringify(job),
    SYSTEM_OIDCREQUESTURI: local.devops.oidcRequestUri,
    AZURE_POD_IDENTITY_AUTHORITY_HOST: local.managed.url,
  };
}

export interface BundleRun {
  readonly output: string;
  readonly code: number;
  /** The names and texts of all files that are left. */
  readonly left: string;
}

/** Runs a packaged task in this folder, as the agent does. */
export async function runBundle(
  task: string,
  environment: Record<string, string>,
  folder: string,
  authority: string,
): Promise<BundleRun> {
  const caFile = join(folder, '..', 'authority.pem');
  await writeFile(caFile, authority);
  const child = spawn(process.execPath, [join(packagedTaskFolder(task), 'index.js')], {
    cwd: folder,
    env: {
      PATH: process.env['PATH'],
      AGENT_TEMPDIRECTORY: folder,
      SYSTEM_DEFAULTWORKINGDIRECTORY: folder,
      NODE_EXTRA_CA_CERTS: caFile,
      ...environment,
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => {
      output += text;
    });
  }
  const [code] = (await once(child, 'close')) as [number];
  return { output, code, left: await textBelow(folder) };
}
