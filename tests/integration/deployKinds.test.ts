import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { containersOf, podTemplate } from '../../src/kube/objects/workload.ts';
import type { Run } from '../support/deployment.ts';
import { withFolder } from '../support/folder.ts';
import { releases, succeeded } from '../support/releases.ts';

const kinds: readonly (readonly [string, string])[] = [
  ['apps/v1', 'StatefulSet'],
  ['apps/v1', 'DaemonSet'],
  ['batch/v1', 'CronJob'],
  ['batch/v1', 'Job'],
];

/** Each kind of {@link kinds} with the image, as application or as the container that prepares it. */
function objects(image: string): object[] {
  const probe = { httpGet: { path: '/healthz', port: 8080 }, periodSeconds: 1 };
  const template = (app: string): object => ({
    metadata: { labels: { app } },
    spec: { terminationGracePeriodSeconds: 1, containers: [{ name: 'web', image, readinessProbe: probe }] },
  });
  const job = {
    suspend: true,
    template: {
      spec: {
        restartPolicy: 'Never',
        initContainers: [{ name: 'first', image }],
        containers: [{ name: 'web', image }],
      },
    },
  };
  const of = (app: string): object => ({ selector: { matchLabels: { app } }, template: template(app) });
  const specs = [
    { ...of('stateful'), serviceName: 'web', replicas: 2 },
    of('daemon'),
    { schedule: '0 0 1 1 *', jobTemplate: { spec: job } },
    job,
  ];
  return kinds.map(([apiVersion, kind], at) => ({
    apiVersion,
    kind,
    metadata: { name: 'web' },
    spec: specs[at],
  }));
}

describe('A release of every kind that runs pods', function () {
  this.timeout(120_000);
  const at = releases('kinds', [
    { tag: '1', modelVersion: 'v1', created: '2026-01-01T00:00:00Z' },
    { tag: '2', modelVersion: 'v2', created: '2026-01-02T00:00:00Z' },
    { tag: 'crash', modelVersion: 'v3', created: '2026-01-03T00:00:00Z', behaviour: 'crash' },
  ]);

  const deploy = (
    tag: string,
    only: readonly string[],
    more: Readonly<Record<string, string>> = {},
  ): Promise<Run> =>
    withFolder(async (folder) => {
      const all = objects(`${at.repository}:any`) as { readonly kind: string }[];
      const wanted = all.filter(({ kind }) => only.includes(kind));
      await writeFile(join(folder, 'all.yaml'), wanted.map((one) => stringify(one)).join('---\n'));
      return at.deploy({ manifests: 'all.yaml', tagFilter: `^${tag}$`, ...more }, { workingFolder: folder });
    });

  const imagesOf = async (apiVersion: string, kind: string): Promise<readonly (string | undefined)[]> => {
    const live = await at.find(apiVersion, kind);
    assert.ok(live, kind);
    return containersOf(podTemplate(live)?.spec).map(({ image }) => image?.split('@')[1]);
  };

  it('sets the image in all of their containers and watches those that stay', async () => {
    const names = kinds.map(([, kind]) => kind);
    const { log } = succeeded(await deploy('1', names));
    assert.match(log, /StatefulSet 'web'.*: 2 of 2 new pods ready/);
    assert.match(log, /DaemonSet 'web'.*: 1 of 1 new pods ready/);
    const rolling = names.filter((kind) => kind !== 'Job');
    succeeded(await deploy('2', rolling));
    for (const [apiVersion, kind] of kinds) {
      const digest = at.digests[kind === 'Job' ? 0 : 1];
      assert.ok(
        (await imagesOf(apiVersion, kind)).every((one) => one === digest),
        kind,
      );
    }
  });

  it('takes a stateful set and a daemon set back whose new pods crash', async () => {
    const run = await deploy('crash', ['StatefulSet', 'DaemonSet']);
    assert.equal(run.error?.code, 'ROLLOUT_CRASH', run.log);
    assert.equal(run.said.outputs.get('rolledBack'), 'true', run.log);
  });

  it('goes on from a stateful set whose pods crash since a release before', async () => {
    const left = await deploy('crash', ['StatefulSet'], { rollbackOnFailure: 'false' });
    assert.equal(left.error?.code, 'ROLLOUT_CRASH', left.log);
    const { log } = succeeded(await deploy('1', ['StatefulSet']));
    assert.match(log, /Removed Pod 'web-1'.*of a state that failed/);
  });
});
