import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import type { Pod } from 'kubernetes-types/core/v1.d.ts';
import type { RegistryEndpoint } from '../../local/lib/endpoints.ts';
import { deliverModel } from '../../src/image/model/deliver.ts';
import { annotations } from '../../src/oci/annotations.ts';
import { digestOf } from '../../src/oci/documents.ts';
import {
  type Run,
  registryConnection,
  runDeploy,
  soon,
  type TestNamespace,
  testNamespace,
} from '../support/deployment.ts';
import { services } from '../support/services.ts';
import { pushWebImages, registryClient } from '../support/webImage.ts';

const repository = `deploy/volume-${randomBytes(3).toString('hex')}`;
const platform = { os: 'linux', architecture: process.arch === 'arm64' ? 'arm64' : 'amd64' };

describe('DeployToAks with the model as an image volume', function () {
  this.timeout(120_000);
  let registry: RegistryEndpoint;
  let kubeconfig: string;
  let namespace: TestNamespace;
  const modelImages: string[] = [];

  const deploy = (inputs: Record<string, string>): Promise<Run> =>
    runDeploy({
      inputs: {
        connectionType: 'kubeconfig',
        kubeconfig,
        namespace: namespace.name,
        appName: 'web',
        replicas: '1',
        readinessPath: '/healthz',
        serviceType: 'ClusterIP',
        containerRegistry: 'registry',
        repository,
        createPullSecret: 'true',
        rolloutTimeout: '60',
        modelDelivery: 'imageVolume',
        ...inputs,
      },
      connections: [registryConnection(registry)],
    });

  /** Publishes a model as BuildModelImage does; gives its fingerprint. */
  const publish = async (version: string, destination: string): Promise<string> => {
    const content = Buffer.from(`weights of ${version}`);
    const fingerprint = digestOf(`fingerprint of ${version}`);
    const files = [
      {
        path: 'data/weights.txt',
        size: content.byteLength,
        async *open(offset: number) {
          yield content.subarray(offset);
        },
      },
    ];
    const client = registryClient(registry, repository);
    const options = { client, repository, destination, platform, signal: soon() };
    const model = { name: 'sentiment', version, fingerprint, size: content.byteLength };
    await deliverModel(options, { ...model, files: async () => files });
    return fingerprint;
  };

  const modelRead = async (): Promise<string> => {
    const pods = { apiVersion: 'v1', kind: 'Pod', namespace: namespace.name };
    const labelSelector = 'app.kubernetes.io/name=web';
    const { items } = await namespace.client.list({ ...pods, labelSelector }, soon());
    const pod = items.find((one) => (one as Pod).metadata?.deletionTimestamp === undefined);
    assert.ok(pod);
    const ref = { ...pods, name: pod.metadata.name };
    const question = { port: 8080, method: 'GET', path: '/model/data/weights.txt' };
    return (await namespace.client.ask(ref, question, soon())).body;
  };

  before(async function () {
    this.timeout(900_000);
    const started = await services('cluster', 'registry');
    registry = started.registry;
    kubeconfig = started.cluster.kubeconfig;
    namespace = await testNamespace(started.cluster);
    const fingerprint = await publish('7', '/app/model');
    const second = await publish('8', '/app/model');
    for (const key of [fingerprint, second])
      modelImages.push(`${registry.host}/${repository}:model-${key.slice('sha256:'.length).slice(0, 12)}`);
    const notes = { [annotations.modelFingerprint]: fingerprint, [annotations.modelPath]: '/app/model' };
    await pushWebImages(registry, repository, [
      { tag: '1', modelVersion: '', created: '2026-01-01T00:00:00Z', annotations: notes },
      { tag: '2', modelVersion: '', created: '2026-01-02T00:00:00Z' },
    ]);
  });

  after(async () => {
    await namespace?.remove();
  });

  it('gives an image without a model the model that its annotations name', async () => {
    const run = await deploy({ tagFilter: '^1$' });
    assert.equal(run.error, undefined, `${run.error?.message}\n${run.log}`);
    assert.equal(run.said.outputs.get('deployedModelVersion'), '7');
    assert.equal(await modelRead(), 'weights of 7');
    const again = await deploy({ tagFilter: '^1$' });
    assert.equal(again.said.outputs.get('changed'), 'false', again.log);
  });

  it('rolls another model under the same code when it is named', async () => {
    const run = await deploy({ tagFilter: '^1$', modelImage: modelImages[1] ?? '' });
    assert.equal(run.error, undefined, `${run.error?.message}\n${run.log}`);
    assert.equal(run.said.outputs.get('deployedModelVersion'), '8');
    assert.equal(run.said.outputs.get('changed'), 'true');
  });

  it('is refused for an image that names no model, before anything changes', async () => {
    const run = await deploy({ tagFilter: '^2$', appName: 'other' });
    assert.equal(run.error?.code, 'MODEL_IMAGE_NOT_FOUND', run.error?.message);
    assert.equal(run.said.outputs.get('changed'), undefined);
  });

  it('is refused for a model image that is none', async () => {
    const run = await deploy({ tagFilter: '^2$', modelImage: `${registry.host}/${repository}:2` });
    assert.equal(run.error?.code, 'MODEL_IMAGE_NOT_FOUND', run.error?.message);
    assert.match(run.error.message, /is no model image/);
  });
});
