import assert from 'node:assert/strict';
import { stringify } from 'yaml';
import { type LocalArm, type ManagedCluster, startArm } from '../../local/azure/arm.ts';
import { audiences, type LocalIdentity, startIdentity } from '../../local/identity/index.ts';
import { type RunningServer, startServer } from '../../local/identity/server.ts';
import { aksAccess } from '../../src/azure/aks.ts';
import type { AksTarget } from '../../src/azure/aksTarget.ts';
import { azureConnection } from '../../src/azure/connection.ts';
import { createCredential } from '../../src/azure/credential.ts';
import { createSend } from '../../src/azure/http.ts';
import { createWire } from '../../src/kube/api/wire.ts';
import {
  assertIdsShown,
  azureServiceConnection,
  failureText,
  jobHost,
  networkOf,
} from '../support/identity.ts';

const subscriptionId = '00000000-0000-4000-8000-0000000000aa';

function kubeconfig(server: string, ca: string, user: object): string {
  return stringify({
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [
      {
        name: 'prod',
        cluster: { server, 'certificate-authority-data': Buffer.from(ca).toString('base64') },
      },
    ],
    users: [{ name: 'clusterUser_models_prod', user }],
    contexts: [{ name: 'prod', context: { cluster: 'prod', user: 'clusterUser_models_prod' } }],
    'current-context': 'prod',
  });
}

const kubelogin = {
  exec: {
    apiVersion: 'client.authentication.k8s.io/v1beta1',
    command: 'kubelogin',
    args: [
      'get-token',
      '--environment',
      'AzurePublicCloud',
      '--server-id',
      audiences.aks,
      '--login',
      'devicecode',
    ],
  },
};

const oldPlugin = {
  'auth-provider': { name: 'azure', config: { 'apiserver-id': audiences.aks, 'client-id': 'x' } },
};

describe('entering an AKS cluster', () => {
  let local: LocalIdentity;
  let arm: LocalArm;
  let server: RunningServer;

  const cluster = (changed: Partial<ManagedCluster> = {}): ManagedCluster => ({
    subscriptionId,
    resourceGroup: 'models',
    name: 'prod',
    userKubeconfig: kubeconfig(server.url, local.authority.certificate, kubelogin),
    adminKubeconfig: kubeconfig(server.url, local.authority.certificate, { token: 'admin-token' }),
    localAccountsDisabled: true,
    users: [local.application.objectId],
    admins: [],
    ...changed,
  });

  beforeEach(async () => {
    local = await startIdentity();
    arm = await startArm(local);
    // Stands for the API server: it takes tokens for its own application only.
    server = await startServer(
      async ({ headers }) => {
        const verified = await local.entra.verify(headers['authorization'], [audiences.aks]);
        return { status: 'claims' in verified ? 200 : 401, json: verified };
      },
      await local.authority.issue(),
    );
    arm.clusters = [cluster()];
  });

  afterEach(async () => {
    await Promise.all([server.close(), arm.close(), local.close()]);
  });

  const access = (changed: Partial<AksTarget> = {}) => {
    const { host } = jobHost(local);
    const connection = azureConnection(azureServiceConnection(local, 'workloadIdentity', { url: arm.url }));
    const network = networkOf(local);
    const asked = {
      cloud: connection.cloud,
      identity: createCredential(connection, host, network),
      send: createSend(network),
      signal: host.cancelled,
    };
    const target = { subscriptionId, resourceGroup: 'models', cluster: 'prod', admin: false, ...changed };
    return aksAccess(asked, target, (value) => host.secret(value));
  };

  const statuses = async (changed: Partial<AksTarget>, times: number): Promise<number[]> => {
    const wire = createWire(await access(changed));
    const found: number[] = [];
    for (let count = 0; count < times; count += 1) {
      const signal = AbortSignal.timeout(20_000);
      const answer = await wire.request({ method: 'GET', path: '/version', silenceMs: 5000, signal });
      await answer.body.dump();
      found.push(answer.statusCode);
      await new Promise((resolve) => setTimeout(resolve, 700));
    }
    await wire.close();
    return found;
  };

  it('puts a token for the API server into the client where the kubeconfig names kubelogin', async () => {
    assert.deepEqual(await statuses({}, 1), [200]);
    assert.match(arm.requests[0] ?? '', /listClusterUserCredential\?.*format=exec/);
  });

  it("does so for the older plug-in 'azure' too", async () => {
    const userKubeconfig = kubeconfig(server.url, local.authority.certificate, oldPlugin);
    arm.clusters = [cluster({ userKubeconfig })];
    assert.deepEqual(await statuses({}, 1), [200]);
  });

  it("asks for the public name of a private cluster's API server where it is wanted", async () => {
    const [userKubeconfig, publicKubeconfig] = ['https://private.invalid', server.url].map((url) =>
      kubeconfig(url, local.authority.certificate, kubelogin),
    ) as [string, string];
    arm.clusters = [cluster({ userKubeconfig, publicKubeconfig })];
    assert.equal((await access()).server, 'https://private.invalid');
    assert.deepEqual(await statuses({ publicFqdn: true }, 1), [200]);
    arm.clusters = [cluster()];
    const refused = await failureText(access({ publicFqdn: true }));
    assert.equal(refused.code, 'AKS_PUBLIC_FQDN_MISSING');
    assert.match(refused.text, /'usePublicFqdn'/);
  });

  it('renews the token while requests go on', async () => {
    local.entra.lifeSeconds = 2;
    assert.deepEqual(await statuses({}, 4), [200, 200, 200, 200]);
  });

  it('uses the admin only when asked, and tells when local accounts are disabled', async () => {
    const admins = [local.application.objectId];
    arm.clusters = [cluster({ admins })];
    assert.equal((await failureText(access({ admin: true }))).code, 'AKS_ADMIN_DISABLED');
    arm.clusters = [cluster({ admins, localAccountsDisabled: false })];
    assert.equal(await (await access({ admin: true })).token?.(), 'admin-token');
  });

  it('names the role that is missing', async () => {
    arm.clusters = [cluster({ users: [] })];
    const user = await failureText(access());
    assert.equal(user.code, 'AKS_ROLE_MISSING');
    assert.match(user.text, /Azure Kubernetes Service Cluster User Role/);
    assertIdsShown(user.text, arm.exchanges.at(-1));
    assert.match((await failureText(access({ admin: true }))).text, /Cluster Admin Role/);
  });

  it('tells a missing subscription, resource group and cluster apart', async () => {
    const other = '00000000-0000-4000-8000-0000000000bb';
    const subscription = await failureText(access({ subscriptionId: other }));
    assert.equal(subscription.code, 'AZURE_SUBSCRIPTION_NOT_FOUND');
    assert.match((await failureText(access({ resourceGroup: 'other' }))).text, /Resource group 'other'/);
    assert.match((await failureText(access({ cluster: 'test' }))).text, /Cluster 'test' does not exist/);
  });

  it('names the role that is taken away between two requests, and asks no more', async () => {
    await access();
    arm.clusters = [cluster({ users: [] })];
    const asked = arm.requests.length;
    assert.equal((await failureText(access())).code, 'AKS_ROLE_MISSING');
    assert.equal(arm.requests.length, asked + 1);
  });

  it('tells a subscription of another tenant', async () => {
    arm.tenantId = '00000000-0000-4000-8000-0000000000cc';
    const { code, text } = await failureText(access());
    assert.equal(code, 'AZURE_TENANT_MISMATCH');
    assert.match(text, /wrong issuer/);
  });

  it('tells that the resource manager cannot be reached', async () => {
    await arm.close();
    assert.equal((await failureText(access())).code, 'ARM_UNREACHABLE');
  });
});
