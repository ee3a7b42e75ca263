import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Pod } from 'kubernetes-types/core/v1.d.ts';
import { stringify } from 'yaml';
import { isReady } from '../../src/kube/objects/podState.ts';
import { soon } from '../support/deployment.ts';
import { withFolder } from '../support/folder.ts';
import { type PlayedNodes, playNodes } from '../support/kwok.ts';
import { releases, succeeded } from '../support/releases.ts';
import { testContext } from '../support/services.ts';

const deployments = 30;
const replicas = 5;

function deployment(name: string, image: string, podSpec: PlayedNodes['podSpec']): object {
  const labels = { app: name };
  const spec = { ...podSpec, containers: [{ name: 'web', image }] };
  return {
    ...{ apiVersion: 'apps/v1', kind: 'Deployment', metadata: { name } },
    spec: { replicas, selector: { matchLabels: labels }, template: { metadata: { labels }, spec } },
  };
}

describe('A release of many workloads', () => {
  const suite = releases('many', [{ tag: '1', modelVersion: '1.0.0', created: '2026-01-01T00:00:00Z' }]);

  async function released(folder: string, { podSpec }: PlayedNodes): Promise<string> {
    const image = `${suite.registry.host}/${suite.repository}@${suite.digests[0]}`;
    const names = Array.from({ length: deployments }, (_, at) => `web-${at}`);
    const documents = names.map((name) => stringify(deployment(name, image, podSpec)));
    await writeFile(join(folder, 'all.yaml'), documents.join('---\n'));
    const inputs = { image, manifests: 'all.yaml', createPullSecret: 'false' };
    return succeeded(await suite.deploy(inputs, { workingFolder: folder })).log;
  }

  it('watches all of them to the end by one watch a kind', async function () {
    this.timeout(180_000);
    const { client, name: namespace } = suite.namespace;
    const nodes = await playNodes(await testContext(), suite.cluster, client, 1);
    try {
      const log = await withFolder((folder) => released(folder, nodes));
      assert.match(log, new RegExp(`${deployments} of ${deployments} workloads have rolled out`));
      // A reading, a rehearsal and an apply each; then lists and watches, rules, lease, the version and the nodes.
      const requests = Number(/with (\d+) requests to the API server/.exec(log)?.[1]);
      assert.ok(requests < 3 * deployments + 25, `${requests} requests`);
      const { items } = await client.list({ apiVersion: 'v1', kind: 'Pod', namespace }, soon());
      assert.equal(items.length, deployments * replicas);
      assert.ok(items.every((pod) => isReady(pod as Pod)));
    } finally {
      await nodes.remove();
    }
  });
});
