import assert from 'node:assert/strict';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Agent, request } from 'undici';
import { bundleTask } from '../../build/bundle.ts';
import { type LocalArm, startArm } from '../../local/azure/arm.ts';
import { type ClusterCommands, publishedLogLimit } from '../../local/azure/runCommands.ts';
import { clusterTenant, serverOf } from '../../local/cluster/entra.ts';
import { audiences, type LocalIdentity, startIdentity } from '../../local/identity/index.ts';
import { kubectlBinary } from '../../local/toolchain/kubectl.ts';
import { agentEnvironment, runBundle } from '../support/bundle.ts';
import { registryConnection, soon } from '../support/deployment.ts';
import { azureServiceConnection } from '../support/identity.ts';
import { releases } from '../support/releases.ts';
import { bindGroup } from '../support/rights.ts';
import { testContext } from '../support/services.ts';

const subscriptionId = '00000000-0000-4000-8000-0000000000aa';
/** An API server remembers a token that it has accepted for so long, in seconds. */
const remembered = 10;

/** A Deployment whose rollout is waited for so long, in seconds. */
const manifest = (name: string, image: string, seconds: number): string =>
  JSON.stringify({
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name },
    spec: {
      replicas: 1,
      minReadySeconds: seconds,
      selector: { matchLabels: { app: name } },
      template: {
        metadata: { labels: { app: name } },
        spec: { containers: [{ name: 'web', image }], imagePullSecrets: [{ name: 'pull' }] },
      },
    },
  });

const service = JSON.stringify({
  apiVersion: 'v1',
  kind: 'Service',
  metadata: { name: 'web' },
  spec: { type: 'LoadBalancer', ports: [{ port: 80 }] },
});

describe('the packaged DeployToAks in a cluster whose API server verifies the tokens of Entra', function () {
  this.timeout(180_000);
  const at = releases('entra', [{ tag: '1', modelVersion: 'v1', created: '2026-01-01T00:00:00Z' }]);
  let folder: string;
  let local: LocalIdentity;
  let arm: LocalArm;
  let server: ReturnType<typeof serverOf>;
  let commands: ClusterCommands;
  let agent: Agent;

  before(async () => {
    await bundleTask('DeployToAks');
    const context = await testContext();
    folder = await mkdtemp(join(tmpdir(), 'model-delivery-test-'));
    local = await startIdentity(await clusterTenant(context));
    arm = await startArm(local);
    const admin = await readFile(at.cluster.kubeconfig, 'utf8');
    server = serverOf(admin);
    agent = new Agent({ connect: { ca: server.authority } });
    commands = {
      ...{ kubeconfig: admin, kubectl: await kubectlBinary(context), disabled: false, podStarts: true },
      ...{ runners: [local.application.objectId], logLimit: publishedLogLimit },
    };
    const kubelogin = { command: 'kubelogin', args: ['get-token', '--server-id', audiences.aks] };
    const kubeconfig = (url: string): string =>
      admin
        .replace(/server: .*/, `server: ${url}`)
        .replace(
          /( *)client-certificate-data: .*\n *client-key-data: .*/,
          `$1exec: ${JSON.stringify(kubelogin)}`,
        );
    const described = {
      ...{ subscriptionId, resourceGroup: 'models', adminKubeconfig: '', admins: [] },
      ...{ users: [local.application.objectId], localAccountsDisabled: true },
    };
    arm.clusters = [
      { ...described, name: 'prod', userKubeconfig: kubeconfig(server.url) },
      {
        ...{ ...described, name: 'private', isPrivate: true, commands },
        userKubeconfig: kubeconfig('https://127.0.0.1:1'),
      },
    ];
    await bindGroup(at.namespace, local.group);
    const { host, username, password } = at.registry;
    const auths = JSON.stringify({ auths: { [host]: { username, password } } });
    await at.namespace.client.create(
      {
        ...{ apiVersion: 'v1', kind: 'Secret', metadata: { name: 'pull', namespace: at.namespace.name } },
        ...{ type: 'kubernetes.io/dockerconfigjson', stringData: { '.dockerconfigjson': auths } },
      },
      soon(),
    );
  });

  after(async () => {
    await agent?.close();
    await Promise.all([arm?.close(), local?.close()]);
    await rm(folder, { recursive: true, force: true });
  });

  beforeEach(() => {
    local.entra.lifeSeconds = 3600;
    Object.assign(commands, { disabled: false, podStarts: true, failure: undefined });
    Object.assign(commands, { logLimit: publishedLogLimit, runners: [local.application.objectId] });
  });

  /** Asks the API server who the bearer of this token is. */
  const whoIs = async (token: string): Promise<{ status: number; user: Record<string, unknown> }> => {
    const answer = await request(`${server.url}/apis/authentication.k8s.io/v1/selfsubjectreviews`, {
      method: 'POST',
      headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
      body: JSON.stringify({ apiVersion: 'authentication.k8s.io/v1', kind: 'SelfSubjectReview' }),
      dispatcher: agent,
    });
    const { status } = (await answer.body.json()) as { status: { userInfo?: Record<string, unknown> } };
    return { status: answer.statusCode, user: status.userInfo ?? {} };
  };

  const issueFor = (audience: string): Promise<string> =>
    local.entra.issue(local.tenantId, local.application, audience);

  const deploy = async (
    name: string,
    cluster: string,
    seconds: number,
    more: Record<string, string> = {},
  ) => {
    const work = join(folder, name, 'agent');
    await mkdir(work, { recursive: true });
    const image = `${at.registry.host}/${at.repository}@${at.digests[0]}`;
    await writeFile(join(work, 'deploy.yaml'), manifest(name, image, seconds));
    await writeFile(join(work, 'service.yaml'), service);
    const azure = azureServiceConnection(local, 'workloadIdentity', { url: arm.url });
    const inputs = {
      ...{ connectionType: 'azureResourceManager', azureSubscription: azure.id, resourceGroup: 'models' },
      ...{ cluster, namespace: at.namespace.name, manifests: 'deploy.yaml', image, rolloutTimeout: '60' },
      ...more,
    };
    const environment = agentEnvironment(local, [azure, registryConnection(at.registry)], inputs);
    return runBundle('DeployToAks', environment, work, local.authority.certificate);
  };

  it('is known there by object id and group', async () => {
    const { status, user } = await whoIs(await issueFor(audiences.aks));
    assert.equal(status, 201);
    assert.equal(user['username'], local.application.objectId);
    assert.deepEqual(user['groups'], [local.group, 'system:authenticated']);
  });

  it('is a stranger there by a token of another tenant, for another service, or past its time', async () => {
    const other = await startIdentity();
    const foreign = await other.entra.issue(local.tenantId, local.application, audiences.aks);
    local.entra.lifeSeconds = -60;
    const ended = await issueFor(audiences.aks);
    local.entra.lifeSeconds = 3600;
    for (const token of [foreign, ended, await issueFor(audiences.resourceManager)]) {
      assert.equal((await whoIs(token)).status, 401);
    }
    await other.close();
  });

  const issuedForCluster = (): string[] =>
    local.entra
      .issued()
      .filter((token) => JSON.parse(atob(token.split('.')[1] ?? ''))['aud'] === audiences.aks);

  it('goes on by a new token when the first one ends while a rollout is waited for', async () => {
    local.entra.lifeSeconds = 2;
    const earlier = issuedForCluster().length;
    const { output } = await deploy('renewed', 'prod', remembered + 3);
    assert.match(output, /##vso\[task\.complete result=Succeeded;\]/, output);
    const [first, ...later] = issuedForCluster().slice(earlier);
    assert.ok(later.length > 0);
    assert.equal((await whoIs(first ?? '')).status, 401, 'the first one alone would not have been enough');
  });

  it('names the right that is taken away while a rollout is waited for, and ends', async () => {
    // A watch that was admitted goes on; the Service's address is asked for after the rollout.
    const running = deploy('revoked', 'prod', 3, { manifests: '*.yaml' });
    const { client, name: namespace } = at.namespace;
    while ((await at.find('apps/v1', 'Deployment', 'revoked')) === undefined) await sleep(100);
    const apiVersion = 'rbac.authorization.k8s.io/v1';
    await client.remove(
      { apiVersion, kind: 'RoleBinding', namespace, name: local.group },
      { propagation: 'Background' },
      soon(),
    );
    const { output } = await running;
    assert.match(output, /##vso\[task\.complete result=Failed;\]/, output);
    assert.match(output, /CLUSTER_FORBIDDEN/);
    assert.match(output, new RegExp(`'${local.application.objectId}' may not`));
  });

  it('deploys to a private cluster by commands', async () => {
    const { output } = await deploy('commanded', 'private', 0);
    assert.match(output, /##vso\[task\.complete result=Succeeded;\]/, output);
    const deployed = await at.find('apps/v1', 'Deployment', 'commanded');
    assert.ok(deployed);
  });

  it('tells apart in a private cluster a pod that did not start, a command that failed and a cut output', async () => {
    commands.podStarts = false;
    assert.match((await deploy('pod', 'private', 0)).output, /RUN_COMMAND_POD_FAILED/);
    commands.podStarts = true;
    const refused = await deploy('command', 'private', 0, { namespace: 'nowhere' });
    assert.match(refused.output, /NAMESPACE_NOT_FOUND/);
    commands.logLimit = 2000;
    assert.match((await deploy('cut', 'private', 0)).output, /RUN_COMMAND_LOG_CUT/);
  });
});
