import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { AccountSASPermissions } from '@azure/storage-blob';
import { Agent } from 'undici';
import { type DataSourceBinding, readTaskJson } from '../../build/contract/taskJson.ts';
import { taskNames } from '../../build/layout.ts';
import { type LocalArm, startArm } from '../../local/azure/arm.ts';
import { audiences, type LocalIdentity, startIdentity } from '../../local/identity/index.ts';
import { readKubeconfig } from '../../src/kube/connection/kubeconfig.ts';
import { publisher } from '../support/blobs.ts';
import { type Endpoint, optionsOf } from '../support/dataSource.ts';
import { services } from '../support/services.ts';
import { pushWebImages } from '../support/webImage.ts';

const subscriptionId = '00000000-0000-4000-8000-0000000000aa';
const inputs = { storageAccount: 'team', resourceGroup: 'models' };

describe('the lists that the editor fills', function () {
  this.timeout(120_000);
  let local: LocalIdentity;
  let arm: LocalArm;
  let endpoints: Readonly<Record<string, Endpoint>>;
  const agents: Agent[] = [];

  /** Each target's choices, as the doubles and servers below have them. */
  const expected: Readonly<Record<string, string>> = {
    storageAccount: 'team',
    container: 'dropdown-models',
    registry: 'team.azurecr.io',
    repository: 'dropdown/app',
    resourceGroup: 'models',
    cluster: 'prod',
    namespace: 'kube-system',
  };

  const resource = (type: string, name: string, properties = {}) => ({
    ...{ type, subscriptionId, resourceGroup: 'models', name, properties },
  });

  const agentWith = (connect: object): Agent => {
    const agent = new Agent({ connect });
    agents.push(agent);
    return agent;
  };

  before(async function () {
    this.timeout(900_000);
    const { storage, registry, cluster } = await services('storage', 'registry', 'cluster');
    await publisher(storage).getContainerClient('dropdown-models').createIfNotExists();
    await pushWebImages(registry, 'dropdown/app', [
      { tag: '1', modelVersion: 'v1', created: '2026-01-01T00:00:00Z' },
    ]);
    local = await startIdentity();
    arm = await startArm(local);
    const unused = { subscriptionId, userKubeconfig: '', adminKubeconfig: '', users: [], admins: [] };
    arm.clusters = ['models', 'other'].map((resourceGroup) => ({
      ...{ ...unused, resourceGroup, localAccountsDisabled: true },
      name: resourceGroup === 'models' ? 'prod' : 'not-here',
    }));
    arm.resources = [
      resource('Microsoft.Storage/storageAccounts', 'team'),
      resource('Microsoft.ContainerRegistry/registries', 'team', { loginServer: 'team.azurecr.io' }),
    ];
    const token = await local.entra.issue(local.tenantId, local.application, audiences.resourceManager);
    const blobs = new URL(
      await publisher(storage).generateAccountSasUrl(undefined, AccountSASPermissions.parse('rl'), 'sco'),
    );
    const content = await readFile(cluster.kubeconfig, 'utf8');
    const access = await readKubeconfig({ content, folder: '/', secret: () => undefined });
    const { certificateAuthority: ca, clientCertificate: cert, clientKey: key } = access;
    const login = Buffer.from(`${registry.username}:${registry.password}`).toString('base64');
    endpoints = {
      azureSubscription: {
        fields: { url: `${arm.url}/`, subscriptionId, StorageEndpointSuffix: 'core.windows.net' },
        headers: { authorization: `Bearer ${token}` },
        dispatcher: agentWith({ ca: local.authority.certificate }),
      },
      containerRegistry: { fields: { url: registry.url }, headers: { authorization: `Basic ${login}` } },
      kubernetesConnection: {
        ...{ fields: { url: access.server }, headers: {}, dispatcher: agentWith({ ca, cert, key }) },
      },
      // The built-in source signs by the account's key, and goes to the account's own host.
      storage: {
        fields: { StorageEndpointSuffix: 'core.windows.net' },
        headers: {},
        redirect: (url) =>
          `${url.replace('https://team.blob.core.windows.net', storage.blobEndpoint)}&${blobs.search.slice(1)}`,
      },
    };
  });

  after(async () => {
    await Promise.all([arm?.close(), local?.close(), ...agents.map((agent) => agent.close())]);
  });

  const endpointOf = (binding: DataSourceBinding): Endpoint => {
    const name = binding.target === 'container' ? 'storage' : binding.endpointId.slice(2, -1);
    const endpoint = endpoints[name];
    assert.ok(endpoint, `a service connection for ${binding.endpointId}`);
    return endpoint;
  };

  for (const task of taskNames) {
    for (const binding of readTaskJson(task).dataSourceBindings ?? []) {
      it(`${task}: '${binding.target}' by ${binding.endpointId}`, async () => {
        const options = await optionsOf(binding, endpointOf(binding), inputs);
        const wanted = expected[binding.target];
        assert.ok(wanted !== undefined && options.includes(wanted), options.join(', '));
        assert.ok(!options.includes('not-here'), 'only those of the resource group');
      });
    }
  }
});
