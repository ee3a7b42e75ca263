import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type Run, soon } from '../support/deployment.ts';
import { withFolder } from '../support/folder.ts';
import { releases, succeeded } from '../support/releases.ts';

const configMap = (name: string): string =>
  JSON.stringify({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name }, data: { of: 'the release' } });

const readinessProbe = { httpGet: { path: '/healthz', port: 8080 }, periodSeconds: 1 };

const workload = (image: string): string =>
  JSON.stringify({
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name: 'web' },
    spec: {
      replicas: 1,
      selector: { matchLabels: { app: 'web' } },
      template: {
        metadata: { labels: { app: 'web' } },
        spec: {
          terminationGracePeriodSeconds: 0,
          containers: [{ name: 'web', image, readinessProbe }],
        },
      },
    },
  });

describe('DeployToAks with prune', function () {
  this.timeout(120_000);
  const at = releases(
    'prune',
    [
      { tag: '1', modelVersion: 'v1', created: '2026-01-01T00:00:00Z' },
      { tag: '2', modelVersion: 'v2', created: '2026-01-02T00:00:00Z', behaviour: 'crash' },
      { tag: '3', modelVersion: 'v3', created: '2026-01-03T00:00:00Z' },
    ],
    { manifests: 'all.yaml', tagFilter: '^1$', prune: 'true' },
  );

  const deploy = (documents: readonly string[], inputs: Record<string, string> = {}): Promise<Run> =>
    withFolder(async (folder) => {
      await writeFile(join(folder, 'all.yaml'), [workload(at.repository), ...documents].join('\n---\n'));
      return at.deploy(inputs, { workingFolder: folder });
    });

  const exists = async (name: string): Promise<boolean> => {
    const ref = { apiVersion: 'v1', kind: 'ConfigMap', namespace: at.namespace.name, name };
    return (await at.namespace.client.get(ref, soon())) !== undefined;
  };

  it('records what it applies, and a second run has nothing to do', async () => {
    succeeded(await deploy(['one', 'two', 'three'].map(configMap)));
    assert.ok(await exists('model-delivery-web'));
    const again = succeeded(await deploy(['one', 'two', 'three'].map(configMap)));
    assert.equal(again.said.outputs.get('changed'), 'false', again.log);
  });

  it('only says in a dry run what would go', async () => {
    const run = succeeded(await deploy(['two', 'three'].map(configMap), { dryRun: 'true' }));
    assert.match(run.log, /To be pruned: ConfigMap 'one'/);
    assert.ok(await exists('one'));
  });

  it('removes nothing when the release fails', async () => {
    const run = await deploy(['two', 'three'].map(configMap), { tagFilter: '^2$' });
    assert.equal(run.error?.code, 'ROLLOUT_CRASH');
    assert.ok(await exists('one'));
  });

  it('removes what left the manifests, and never what it did not apply', async () => {
    const foreign = { name: 'foreign', namespace: at.namespace.name };
    await at.namespace.client.create({ apiVersion: 'v1', kind: 'ConfigMap', metadata: foreign }, soon());
    // 'two' is deleted and made anew by somebody else: the name is recorded, the object is not ours.
    const two = { apiVersion: 'v1', kind: 'ConfigMap', name: 'two', namespace: at.namespace.name };
    await at.namespace.client.remove(two, { propagation: 'Background' }, soon());
    const metadata = { name: 'two', namespace: at.namespace.name };
    await at.namespace.client.create({ apiVersion: 'v1', kind: 'ConfigMap', metadata }, soon());
    const run = succeeded(await deploy([configMap('three')]));
    assert.equal(run.said.outputs.get('changed'), 'true');
    assert.match(run.log, /Removed ConfigMap 'one'/);
    assert.match(run.log, /ConfigMap 'two'.* stays: it is managed by somebody else now/);
    const there = await Promise.all(['one', 'two', 'three', 'foreign'].map(exists));
    assert.deepEqual(there, [false, true, true, true]);
    const again = succeeded(await deploy([configMap('three')]));
    assert.equal(again.said.outputs.get('changed'), 'false', again.log);
  });

  it('leaves what another release applies too', async () => {
    const name = 'model-delivery-other';
    const ref = { apiVersion: 'v1', kind: 'ConfigMap', name: 'shared', namespace: at.namespace.name };
    await at.namespace.client.create(
      {
        ...{ apiVersion: 'v1', kind: 'ConfigMap' },
        metadata: { name, namespace: ref.namespace, labels: { 'model-delivery/inventory': 'true' } },
        data: { objects: JSON.stringify([ref]) },
      },
      soon(),
    );
    succeeded(await deploy([configMap('three'), configMap('shared')]));
    const run = succeeded(await deploy([configMap('three')]));
    assert.match(run.log, /ConfigMap 'shared'.* stays: it is part of ConfigMap 'model-delivery-other'/);
    assert.ok(await exists('shared'));
  });

  it('removes what left a release that is held once it is promoted', async () => {
    const held = { tagFilter: '^3$', strategy: 'canary', canaryDuration: '1', holdForPromotion: 'true' };
    assert.equal(succeeded(await deploy([], held)).said.outputs.get('held'), 'true');
    assert.ok(await exists('three'), 'what is held has lost nothing');
    const promoted = succeeded(await deploy([], { action: 'promote' }));
    assert.match(promoted.log, /Removed ConfigMap 'three'/);
    assert.equal(await exists('three'), false);
  });
});
