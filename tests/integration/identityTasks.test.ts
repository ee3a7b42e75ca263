import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { bundleTask } from '../../build/bundle.ts';
import { packagedTaskFolder } from '../../build/layout.ts';
import { startArm } from '../../local/azure/arm.ts';
import { type OauthStorage, startOauthStorage } from '../../local/azure/storage.ts';
import type { StorageSettings } from '../../local/azure/storageFront.ts';
import { audiences, type LocalIdentity, startIdentity } from '../../local/identity/index.ts';
import { createContext } from '../../local/lib/context.ts';
import type { ServiceConnection } from '../../src/host/host.ts';
import { azureServiceConnection, type Scheme } from '../support/identity.ts';
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

  let state: string;
  let local: LocalIdentity;
  let storage: OauthStorage;
  let settings: StorageSettings;

  // One for all: Azurite takes seconds to start.
  before(async () => {
    for (const task of ['FetchModel', 'DeployToAks']) await bundleTask(task);
    state = await mkdtemp(join(tmpdir(), 'model-delivery-test-'));
    local = await startIdentity();
    const context = await createContext(() => undefined);
    storage = await startOauthStorage({ ...context, stateFolder: state, logFolder: state }, local);
    settings = { ...storage.front.settings };
    await publishBlobs(storage, local);
  });

  after(async () => {
    await storage?.close();
    await local?.close();
    await rm(state, { recursive: true, force: true });
  });

  /** Runs the task with what `change` has changed before it. */
  const fetchModel = async (scheme: Scheme, change: () => void = () => undefined) => {
    Object.assign(local.entra, { lifeSeconds: 3600 });
    Object.assign(local.devops, { lifeSeconds: 600 });
    Object.assign(storage.front.settings, settings);
    const [reads, refusals] = [storage.front.reads.length, storage.front.refused.length];
    change();
    const root = await mkdtemp(join(state, 'run-'));
    const folder = join(root, 'agent');
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
    const run = await runBundle('FetchModel', environment, folder, local.authority.certificate);
    const reading = storage.front.reads.slice(reads).map((token) => `Bearer ${token}`);
    return { ...run, reading, refused: storage.front.refused.slice(refusals) };
  };

  it('FetchModel reads blobs, and its raw output names a token only to register it', async () => {
    const { output, code, left } = await fetchModel('workloadIdentity');
    assert.equal(code, 0, output);
    assert.match(left, /the weights/);
    assert.ok(local.entra.issued().length > 0);
    const shown = output.split('\n').filter((line) => !line.startsWith('##vso[task.setsecret]'));
    const { accessToken, issued } = local.devops;
    const secrets = [...local.entra.issued(), ...issued(), ...local.entra.presented(), accessToken];
    assertNoSecret({ log: shown.join('\n'), files: left }, secrets);
  });

  it('FetchModel explains a refused sign-in', async () => {
    const { output, code } = await fetchModel('workloadIdentity', () => {
      local.devops.lifeSeconds = -5;
    });
    assert.equal(code, 0, 'the agent learns of the failure by the result');
    assert.match(output, /##vso\[task\.complete result=Failed;\]/);
    assert.match(output, /IDENTITY_ASSERTION_EXPIRED/);
  });

  it('FetchModel explains tokens that the storage does not accept', async () => {
    const { output } = await fetchModel('clientSecret', () => {
      local.entra.lifeSeconds = -60;
    });
    assert.match(output, /STORAGE_/);
  });

  it('FetchModel goes on by a new token when the first one ends in the middle of a blob', async () => {
    const { output, left, reading, refused } = await fetchModel('workloadIdentity', () => {
      local.entra.lifeSeconds = 2;
      storage.front.settings.breakNext = { afterBytes: 4, waitMs: 2100 };
    });
    assert.match(output, /##vso\[task\.complete result=Succeeded;\]/);
    assert.match(left, /the weights/);
    assert.deepEqual(refused, [], 'no ended token was sent');
    assert.equal(reading.length, 2);
    assert.notEqual(reading[0], reading[1]);
    assert.deepEqual(await local.entra.verify(reading[0], [audiences.storage]), { problem: 'expired' });
  });

  it('FetchModel names the role that is taken away in the middle of a blob, and asks no more', async () => {
    const { output, refused } = await fetchModel('workloadIdentity', () => {
      const onBreak = (): void => {
        storage.front.settings.readers = [];
      };
      storage.front.settings.breakNext = { afterBytes: 4, waitMs: 10, onBreak };
    });
    assert.match(output, /STORAGE_ROLE_MISSING/);
    assert.match(output, /Storage Blob Data Reader/);
    assert.deepEqual([...new Set(refused)], ['AuthorizationPermissionMismatch']);
    assert.ok(refused.length <= 2, 'once for the bytes, once for the reason');
  });

  it('FetchModel explains a storage account of another tenant', async () => {
    const { output } = await fetchModel('clientSecret', () => {
      storage.front.settings.tenantId = randomUUID();
    });
    assert.match(output, /STORAGE_TOKEN_REFUSED/);
    assert.match(output, /of another tenant than the storage account/);
  });

  it('DeployToAks enters a cluster by its names in Azure and plans there', async function () {
    this.timeout(900_000);
    const { cluster } = await services('cluster');
    const folder = await mkdtemp(join(tmpdir(), 'model-delivery-test-'));
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
      await arm.close();
      await rm(folder, { recursive: true, force: true });
    }
  });
});
