import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { bundleTask } from '../../build/bundle.ts';
import { type OauthStorage, startOauthStorage } from '../../local/azure/storage.ts';
import type { StorageSettings } from '../../local/azure/storageFront.ts';
import { audiences, type LocalIdentity, startIdentity } from '../../local/identity/index.ts';
import { createContext } from '../../local/lib/context.ts';
import { agentEnvironment, runBundle } from '../support/bundle.ts';
import { azureServiceConnection, type Scheme } from '../support/identity.ts';
import { assertNoSecret } from '../support/secretScan.ts';
import { publishBlobs } from '../support/sovereign.ts';

describe('the packaged FetchModel, signed in to Azure', function () {
  this.timeout(180_000);

  let state: string;
  let local: LocalIdentity;
  let storage: OauthStorage;
  let settings: StorageSettings;

  // One for all: Azurite takes seconds to start.
  before(async () => {
    await bundleTask('FetchModel');
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
    const environment = agentEnvironment(local, [connection], inputs);
    const run = await runBundle('FetchModel', environment, folder, local.authority.certificate);
    const reading = storage.front.reads.slice(reads).map((token) => `Bearer ${token}`);
    return { ...run, reading, refused: storage.front.refused.slice(refusals) };
  };

  it('reads blobs, and its raw output names a token only to register it', async () => {
    const { output, code, left } = await fetchModel('workloadIdentity');
    assert.equal(code, 0, output);
    assert.match(left, /the weights/);
    assert.ok(local.entra.issued().length > 0);
    const shown = output.split('\n').filter((line) => !line.startsWith('##vso[task.setsecret]'));
    const { accessToken, issued } = local.devops;
    const secrets = [...local.entra.issued(), ...issued(), ...local.entra.presented(), accessToken];
    assertNoSecret({ log: shown.join('\n'), files: left }, secrets);
  });

  it('explains a refused sign-in', async () => {
    const { output, code } = await fetchModel('workloadIdentity', () => {
      local.devops.lifeSeconds = -5;
    });
    assert.equal(code, 0, 'the agent learns of the failure by the result');
    assert.match(output, /##vso\[task\.complete result=Failed;\]/);
    assert.match(output, /IDENTITY_ASSERTION_EXPIRED/);
  });

  it('explains tokens that the storage does not accept', async () => {
    const { output } = await fetchModel('clientSecret', () => {
      local.entra.lifeSeconds = -60;
    });
    assert.match(output, /STORAGE_/);
  });

  it('goes on by a new token when the first one ends in the middle of a blob', async () => {
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

  it('names the role that is taken away in the middle of a blob, and asks no more', async () => {
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

  it('explains a storage account of another tenant', async () => {
    const { output } = await fetchModel('clientSecret', () => {
      storage.front.settings.tenantId = randomUUID();
    });
    assert.match(output, /STORAGE_TOKEN_REFUSED/);
    assert.match(output, /of another tenant than the storage account/);
  });
});
