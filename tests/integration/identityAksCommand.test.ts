import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { type LocalArm, startArm } from '../../local/azure/arm.ts';
import { type ClusterCommands, publishedLogLimit } from '../../local/azure/runCommands.ts';
import { type LocalIdentity, startIdentity } from '../../local/identity/index.ts';
import type { RegistryEndpoint } from '../../local/lib/endpoints.ts';
import { kubectlBinary } from '../../local/toolchain/kubectl.ts';
import { openCluster } from '../../src/azure/cluster.ts';
import { DeliveryError } from '../../src/errors.ts';
import { aksWay } from '../../src/kube/connection/way.ts';
import type { KubeObject } from '../../src/kube/objects/objects.ts';
import { deployByCommand } from '../../tasks/DeployToAks/byCommand.ts';
import { readDeployInputs } from '../../tasks/DeployToAks/inputs.ts';
import { registryConnection, soon, type TestNamespace, testNamespace } from '../support/deployment.ts';
import { recordingHost } from '../support/host.ts';
import { azureServiceConnection, networkOf } from '../support/identity.ts';
import { services, testContext } from '../support/services.ts';
import { pushWebImages } from '../support/webImage.ts';

const repository = `deploy/command-${randomBytes(3).toString('hex')}`;
const images = [
  { tag: '1', modelVersion: 'v1', created: '2026-01-01T00:00:00Z' },
  { tag: '2', modelVersion: 'v2', created: '2026-01-02T00:00:00Z' },
  { tag: '3-crash', modelVersion: 'v3', created: '2026-01-03T00:00:00Z', behaviour: 'crash' },
] as const;

describe('DeployToAks by run command', function () {
  this.timeout(180_000);
  let local: LocalIdentity;
  let arm: LocalArm;
  let registry: RegistryEndpoint;
  let namespace: TestNamespace;
  let commands: ClusterCommands;
  let digests: string[];

  before(async function () {
    this.timeout(900_000);
    const started = await services('cluster', 'registry');
    registry = started.registry;
    digests = await pushWebImages(registry, repository, images);
    namespace = await testNamespace(started.cluster);
    await namespace.client.create(pullSecret(), soon());
    local = await startIdentity();
    arm = await startArm(local);
    commands = {
      kubeconfig: await readFile(started.cluster.kubeconfig, 'utf8'),
      kubectl: await kubectlBinary(await testContext()),
      runners: [local.application.objectId],
      disabled: false,
      podStarts: true,
      logLimit: publishedLogLimit,
    };
    // The kubeconfig of a private cluster names an address that this agent does not reach.
    const unreachable = commands.kubeconfig.replace(/server: .*/, 'server: https://127.0.0.1:1');
    arm.clusters = [
      {
        subscriptionId: '00000000-0000-4000-8000-0000000000aa',
        resourceGroup: 'models',
        name: 'private',
        userKubeconfig: unreachable,
        adminKubeconfig: unreachable,
        localAccountsDisabled: true,
        users: [local.application.objectId],
        admins: [],
        isPrivate: true,
        commands,
      },
    ];
  });

  beforeEach(() => {
    Object.assign(commands, { runners: [local.application.objectId], disabled: false, podStarts: true });
    Object.assign(commands, { failure: undefined, logLimit: publishedLogLimit });
  });

  after(async () => {
    await namespace?.remove();
    await Promise.all([arm?.close(), local?.close()]);
  });

  function pullSecret(): KubeObject {
    const { host, username, password } = registry;
    const config = JSON.stringify({ auths: { [host]: { username, password } } });
    return {
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: { name: 'pull', namespace: namespace.name },
      type: 'kubernetes.io/dockerconfigjson',
      stringData: { '.dockerconfigjson': config },
    };
  }

  const deploy = async (given: Record<string, string>) => {
    const inputs = {
      connectionType: 'azureResourceManager',
      azureSubscription: 'azure',
      resourceGroup: 'models',
      cluster: 'private',
      namespace: namespace.name,
      appName: 'web',
      readinessPath: '/healthz',
      imagePullSecret: 'pull',
      containerRegistry: 'registry',
      repository,
      rolloutTimeout: '60',
      ...given,
    };
    const { accessToken, oidcRequestUri } = local.devops;
    const pipelineIdentity = { accessToken, oidcRequestUri };
    const connections = [registryConnection(registry)];
    const { host, said } = recordingHost({
      workingFolder: '/nonexistent',
      inputs,
      connections,
      pipelineIdentity,
    });
    let error: DeliveryError | undefined;
    try {
      const read = readDeployInputs(host);
      assert.ok(read.connection.type === 'azureResourceManager');
      const connection = azureServiceConnection(local, 'workloadIdentity', { url: arm.url });
      const door = openCluster(connection, read.connection.name, host, networkOf(local));
      const way = await aksWay(read.connection, door, host);
      assert.equal(way.kind, 'commands');
      if (way.kind === 'commands') await deployByCommand(way.commands, read, host);
    } catch (thrown) {
      if (!(thrown instanceof DeliveryError)) throw thrown;
      error = thrown;
    }
    return { said, error, log: [...said.lines, ...said.warnings].join('\n') };
  };

  const failed = async (inputs: Record<string, string>, code: string) => {
    const run = await deploy(inputs);
    assert.equal(run.error?.code, code, `${run.error?.message}\n${run.log}`);
    return { ...run, text: `${run.error.message} ${run.error.remedy}` };
  };

  const live = () =>
    namespace.client.get(
      { apiVersion: 'apps/v1', kind: 'Deployment', namespace: namespace.name, name: 'web' },
      soon(),
    );

  it('refuses what one command cannot do, naming the input, before anything is asked of the cluster', async () => {
    const asked = arm.requests.length;
    const run = await failed(
      { strategy: 'canary', privateClusterAccess: 'runCommand' },
      'RUN_COMMAND_UNSUPPORTED',
    );
    assert.match(run.text, /Input 'strategy'/);
    const posts = arm.requests.slice(asked).filter((line) => line.includes('runCommand'));
    assert.deepEqual(posts, []);
  });

  it('shows the plan as a dry run, and changes nothing', async () => {
    const run = await deploy({ tagFilter: '^1$', dryRun: 'true' });
    assert.equal(run.error, undefined, run.log);
    assert.match(run.log, /create Deployment 'web'/);
    assert.equal(await live(), undefined);
  });

  it('enters a private cluster that cannot be reached, deploys, probes and gives the outputs', async () => {
    const run = await deploy({ tagFilter: '^1$', probePath: '/healthz' });
    assert.equal(run.error, undefined, `${run.error?.message}\n${run.error?.cause}\n${run.log}`);
    assert.match(run.log, /private API server '127\.0\.0\.1:1' cannot be reached/);
    const { outputs } = run.said;
    assert.equal(outputs.get('changed'), 'true');
    assert.equal(outputs.get('deployedImage'), `${registry.host}/${repository}@${digests[0]}`);
    assert.equal(outputs.get('deployedModelVersion'), 'v1');
    assert.equal(outputs.get('revision'), '1');
    const answer = await fetch(outputs.get('endpointUrl') ?? '', { signal: soon() });
    assert.equal((await answer.text()).trim(), 'v1');
    assert.ok(local.entra.issued().every((token) => !run.log.includes(token)));
  });

  it('leaves what already runs alone by a single command that only reads', async () => {
    const before = (await live())?.metadata.resourceVersion;
    const asked = arm.requests.length;
    const run = await deploy({ tagFilter: '^1$' });
    assert.equal(run.error, undefined, run.log);
    assert.equal(run.said.outputs.get('changed'), 'false');
    assert.equal((await live())?.metadata.resourceVersion, before);
    const posts = arm.requests.slice(asked).filter((line) => /^POST .*runCommand/.test(line));
    assert.equal(posts.length, 1);
  });

  it('explains an image that crashes by its log, and puts the former version back', async () => {
    const run = await failed({ tagFilter: 'crash' }, 'ROLLOUT_CRASH');
    assert.match(run.text, /'web' crashes with exit code 3/);
    assert.match(run.log, /fatal: the model file is corrupt/);
    assert.equal(run.said.outputs.get('rolledBack'), 'true');
    const again = await deploy({ tagFilter: '^1$' });
    assert.equal(again.said.outputs.get('changed'), 'false', again.log);
  });

  it('names an image that cannot be pulled, and puts the former version back', async () => {
    const image = `${registry.host}/${repository}@sha256:${'0'.repeat(64)}`;
    const run = await failed({ image, containerRegistry: '' }, 'ROLLOUT_IMAGE_PULL');
    assert.match(run.text, /cannot be pulled/);
    assert.equal(run.said.outputs.get('rolledBack'), 'true');
  });

  it('says in the words of a direct release what the API server refuses', async () => {
    const run = await failed({ namespace: 'nowhere' }, 'NAMESPACE_NOT_FOUND');
    assert.match(run.text, /no namespace 'nowhere'/);
  });

  it('tells a pod that did not start from a missing right, and from a feature that is off', async () => {
    commands.podStarts = false;
    assert.match((await failed({}, 'RUN_COMMAND_POD_FAILED')).text, /200m CPU and 500Mi/);
    Object.assign(commands, { podStarts: true, runners: [] });
    assert.match((await failed({}, 'RUN_COMMAND_ROLE_MISSING')).text, /runcommand\/action/);
    Object.assign(commands, { runners: [local.application.objectId], disabled: true });
    await failed({}, 'RUN_COMMAND_DISABLED');
    Object.assign(commands, { disabled: false, failure: 'the pod was deleted' });
    assert.match((await failed({}, 'RUN_COMMAND_FAILED')).text, /what it has done is not known/);
  });

  it('does not take a cut output for a whole one', async () => {
    commands.logLimit = 2000;
    assert.match((await failed({}, 'RUN_COMMAND_LOG_CUT')).text, /512 kB/);
  });
});
