import assert from 'node:assert/strict';
import { isStorageAccount } from '../../../src/azure/storage.ts';
import { DeliveryError } from '../../../src/errors.ts';
import { readInputs } from '../../../src/host/inputs.ts';
import { createLock } from '../../../src/model/lock.ts';
import { fields } from '../../../tasks/BuildModelImage/fields.ts';
import { readModel } from '../../../tasks/BuildModelImage/modelInput.ts';
import { readFetchInputs } from '../../../tasks/FetchModel/inputs.ts';
import { recordingHost } from '../../support/host.ts';

const connection = {
  id: 'azure',
  url: 'https://management.azure.com/',
  scheme: 'WorkloadIdentityFederation',
  parameters: { tenantid: 'tenant', serviceprincipalid: 'app' },
  data: {},
};

function lockAt(endpoint: string) {
  const file = { path: 'w', name: 'm/1/w', size: 1, etag: '"1"' };
  const source = { type: 'azureBlob' as const, url: `${endpoint}/models` };
  return createLock({ name: 'm', version: '1', source, files: [file] });
}

/** How BuildModelImage reads a model that only a lock names, and what it had masked. */
function lockReader(more: Readonly<Record<string, string>>) {
  const inputs = { modelLock: 'model.lock.json', ...more };
  const { host, said } = recordingHost({ workingFolder: '/work', inputs, connections: [connection] });
  const sourceOf = readModel(host, readInputs(host, fields))?.sourceOf;
  return { at: (endpoint: string) => sourceOf?.(lockAt(endpoint)), secrets: said.secrets };
}

describe('a SAS for storage', () => {
  const sas = 'sv=2024-11-04&sp=rl&sig=c2lnbmF0dXJl%2Bx%3D';

  it('is never sent where a lock file alone says to', () => {
    const { at } = lockReader({ modelAuthentication: 'sas', modelSasToken: sas });
    for (const own of [
      'https://models.blob.core.windows.net',
      'https://models.blob.core.chinacloudapi.cn',
      'http://127.0.0.1:10000/devstoreaccount1',
    ]) {
      const found = at(own);
      assert.ok(found?.type === 'azureBlob' && found.location.credential.kind === 'sas', own);
    }
    for (const other of ['https://models.example.org', 'http://models.blob.core.windows.net']) {
      assert.throws(() => at(other), { code: 'INPUT_INVALID' }, other);
    }
  });

  it('goes to a domain of its own where it names that itself, and is masked with its signature', () => {
    const text = `BlobEndpoint=https://models.contoso.com;SharedAccessSignature=${sas}`;
    const { at, secrets } = lockReader({
      modelAuthentication: 'connectionString',
      modelConnectionString: text,
    });
    const found = at('https://models.contoso.com');
    assert.ok(found?.type === 'azureBlob' && found.location.credential.kind === 'sas');
    assert.throws(() => at('https://models.example.org'), { code: 'INPUT_INVALID' });
    for (const part of [sas, 'c2lnbmF0dXJl+x=']) assert.ok(secrets.includes(part), part);
  });
});

describe("an identity's token for storage", () => {
  it('is for the accounts of its cloud, by https', () => {
    const suffix = 'core.windows.net';
    assert.equal(isStorageAccount('https://models.blob.core.windows.net', suffix), true);
    assert.equal(isStorageAccount('http://models.blob.core.windows.net', suffix), false);
    assert.equal(isStorageAccount('https://models.blob.core.windows.net.example.org', suffix), false);
    assert.equal(isStorageAccount('https://example.org/models.blob.core.windows.net', suffix), false);
    assert.equal(isStorageAccount('https://models.blob.core.chinacloudapi.cn', suffix), false);
    assert.equal(isStorageAccount('https://models.z01.blob.storage.azure.net', suffix), true);
    assert.equal(isStorageAccount('https://models.privatelink.blob.core.windows.net', suffix), true);
    assert.equal(
      isStorageAccount('https://models.z01.blob.storage.azure.net', 'core.chinacloudapi.cn'),
      false,
    );
  });

  it('is for the endpoint of an input only there, or on this machine', () => {
    const read = (blobEndpoint: string) => {
      const inputs = { ...{ azureSubscription: 'azure', container: 'models', model: 'm' }, blobEndpoint };
      const { host } = recordingHost({ workingFolder: '/work', inputs, connections: [connection] });
      const { location } = readFetchInputs(host).source;
      return 'endpoint' in location ? location.endpoint : undefined;
    };
    for (const own of [
      'https://models.blob.core.windows.net',
      'https://models-secondary.blob.core.windows.net',
      'https://127.0.0.1:10000/devstoreaccount1',
    ]) {
      assert.equal(read(own), own);
    }
    for (const other of [
      'https://models.example.org',
      'https://blobs.contoso.com',
      'https://models.blob.core.chinacloudapi.cn',
      'http://models.blob.core.windows.net',
      'http://127.0.0.1:10000/devstoreaccount1',
    ]) {
      assert.throws(() => read(other), { code: 'STORAGE_OUTSIDE_CLOUD' }, other);
    }
  });

  it('is never sent where a lock file alone says to', () => {
    const { at } = lockReader({
      modelAuthentication: 'azureResourceManager',
      azureSubscription: 'azure',
    });
    const found = at('https://models.blob.core.windows.net');
    assert.ok(found?.type === 'azureBlob' && found.location.credential.kind === 'identity');
    assert.throws(
      () => at('https://models.example.org'),
      (error) => error instanceof DeliveryError && error.code === 'INPUT_INVALID',
    );
  });
});
