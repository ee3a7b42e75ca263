import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { bundleTask } from '../../build/bundle.ts';
import { packagedTaskFolder } from '../../build/layout.ts';
import { startArm } from '../../local/azure/arm.ts';
import { startOauthStorage } from '../../local/azure/storage.ts';
import { type LocalIdentity, startIdentity } from '../../local/identity/index.ts';
import type { ServiceConnection } from '../../src/host/host.ts';
import { azureServiceConnection, type Scheme } from '../support/identity.ts';
import { withOwnServices } from '../support/ownServices.ts';
import { assertNoSecret, textBelow } from '../support/secretScan.ts';
import { services } from '../support/services.ts';
import { publishBlobs } from '../support/sovereign.ts';

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
function agentEnvironment(
  local: LocalIdentity,
  connection: ServiceConnection,
  inputs: Readonly<Record<string, string>>,
): Record<string, string> {
  const given = Object.entries(inputs).map(([name, value]) => [`INPUT_${name.toUpperCase()}`, value]);
  const job = { parameters: { AccessToken: local.devops.accessToken }, scheme: 'OAuth' };
  return {
    ...(Object.fromEntries(given) as Record<string, string>),
    ...connectionEnvironment(connection),
    ENDPOINT_AUTH_SYSTEMVSSCONNECTION: JSON.stringify(job),
    SYSTEM_OIDCREQUESTURI: local.devops.oidcRequestUri,
    AZURE_POD_IDENTITY_AUTHORITY_HOST: local.managed.url,
  };
}

interface Run {
  readonly output: string;
  readonly code: number;
  /** The names and texts of all files that are left. */
  readonly left: string;
}

async function runBundle(
  task: string,
  environment: Record<string, string>,
  folder: string,
  authority: string,
): Promise<Run> {
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

describe('the packaged tasks, signed in to Azure', function () {
  this.timeout(180_000);

  before(async () => {
    for (const task of ['FetchModel', 'DeployToAks']) await bundleTask(task);
  });

  const fetchModel = (scheme: Scheme, change: (local: LocalIdentity) => void = () => undefined) => {
    let result: (Run & { local: LocalIdentity }) | undefined;
    return withOwnServices(async (context) => {
      const local = await startIdentity();
      const storage = await startOauthStorage(context, local);
      try {
        await publishBlobs(storage, local);
        change(local);
        const folder = join(context.stateFolder, 'agent');
        await mkdir(folder);
        const connection = azureServiceConnection(local, scheme);
        const inputs = {
          azureSubscription: connection.id,
          storageAccount: storage.account,
          blobEndpoint: storage.blobEndpoint,
          container: 'models',
          model: 'credit',
          targetFolder: join(folder, 'model'),
        };
        const environment = agentEnvironment(local, connection, inputs);
        result = {
          ...(await runBundle('FetchModel', environment, folder, local.authority.certificate)),
          local,
        };
      } finally {
        await storage.close();
        await local.close();
      }
    }).then(() => {
      assert.ok(result);
      return result;
    });
  };

  it('FetchModel reads blobs, and its raw output names a token only to register it', async () => {
    const { output, code, left, local } = await fetchModel('workloadIdentity');
    assert.equal(code, 0, output);
    assert.match(left, /the weights/);
    assert.ok(local.entra.issued().length > 0);
    const shown = output.split('\n').filter((line) => !line.startsWith('##vso[task.setsecret]'));
    const { accessToken, issued } = local.devops;
    const secrets = [...local.entra.issued(), ...issued(), ...local.entra.presented(), accessToken];
    assertNoSecret({ log: shown.join('\n'), files: left }, secrets);
  });

  it('FetchModel explains a refused sign-in', async () => {
    const { output, code } = await fetchModel('workloadIdentity', (local) => {
      local.devops.lifeSeconds = -5;
    });
    assert.equal(code, 0, 'the agent learns of the failure by the result');
    assert.match(output, /##vso\[task\.complete result=Failed;\]/);
    assert.match(output, /IDENTITY_ASSERTION_EXPIRED/);
  });

  it('FetchModel explains tokens that the storage does not accept', async () => {
    const { output } = await fetchModel('clientSecret', (local) => {
      local.entra.lifeSeconds = -60;
    });
    assert.match(output, /STORAGE_/);
  });

  it('DeployToAks enters a cluster by its names in Azure and plans there', async function () {
    this.timeout(900_000);
    const { cluster } = await services('cluster');
    const folder = await mkdtemp(join(tmpdir(), 'model-delivery-test-'));
    const local = await startIdentity();
    const arm = await startArm(local);
    try {
      const subscriptionId = '00000000-0000-4000-8000-0000000000aa';
      const kubeconfig = await readFile(cluster.kubeconfig, 'utf8');
      arm.clusters = [
        {
          ...{ subscriptionId, resourceGroup: 'models', name: 'prod', localAccountsDisabled: false },
          ...{ userKubeconfig: kubeconfig, adminKubeconfig: kubeconfig },
          ...{ users: [local.application.objectId], admins: [] },
        },
      ];
      const connection = azureServiceConnection(local, 'workloadIdentity', { url: arm.url });
      const inputs = {
        connectionType: 'azureResourceManager',
        azureSubscription: connection.id,
        resourceGroup: 'models',
        cluster: 'prod',
        image: `registry.example/web@sha256:${'a'.repeat(64)}`,
        appName: 'planned',
        dryRun: 'true',
      };
      await mkdir(join(folder, 'agent'));
      const environment = agentEnvironment(local, connection, inputs);
      const { certificate } = local.authority;
      const { output } = await runBundle('DeployToAks', environment, join(folder, 'agent'), certificate);
      assert.match(output, /create Deployment 'planned'/);
      assert.match(output, /##vso\[task\.complete result=Succeeded;\]/);
    } finally {
      await Promise.all([arm.close(), local.close()]);
      await rm(folder, { recursive: true, force: true });
    }
  });
});
