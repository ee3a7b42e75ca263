import assert from 'node:assert/strict';
import { azureConnection } from '../../../src/azure/connection.ts';
import { identityOf } from '../../../src/azure/credential.ts';
import { namedAzureRegistry } from '../../../src/azure/registry.ts';
import { storageIdentity } from '../../../src/azure/storage.ts';
import { recordingHost } from '../../support/host.ts';

describe('the identity of a service connection', () => {
  it('is one in a run, for storage, registry and whatever else is opened by it', () => {
    const made = (id: string) => ({
      ...{ id, url: 'https://management.azure.com/', scheme: 'WorkloadIdentityFederation' },
      ...{ parameters: { tenantid: 'tenant', serviceprincipalid: 'app' }, data: {} },
    });
    const [azure, other] = [made('azure'), made('other')];
    const { host } = recordingHost({ workingFolder: '.' });
    const identity = identityOf(azureConnection(azure), host);
    assert.equal(storageIdentity(azure, host).identity, identity);
    assert.notEqual(storageIdentity(other, host).identity, identity);
    const [one, two] = [0, 1].map(() => namedAzureRegistry(azure, 'team.azurecr.io', host).fetchToken);
    assert.equal(one, two);
    assert.notEqual(namedAzureRegistry(other, 'team.azurecr.io', host).fetchToken, one);
    const { host: next } = recordingHost({ workingFolder: '.' });
    assert.notEqual(storageIdentity(azure, next).identity, identity, 'another run');
  });
});
