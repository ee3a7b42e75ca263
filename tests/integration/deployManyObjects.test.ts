import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { type Run, soon } from '../support/deployment.ts';
import { withFolder } from '../support/folder.ts';
import { releases, succeeded } from '../support/releases.ts';

const names = Array.from({ length: 40 }, (_, at) => `settings-${at}`);

describe('DeployToAks with many objects of one kind', function () {
  this.timeout(120_000);
  const at = releases('many', [{ tag: '1', modelVersion: 'v1', created: '2026-01-01T00:00:00Z' }], {
    manifests: 'all.yaml',
  });

  const deploy = (data: object): Promise<Run> =>
    withFolder(async (folder) => {
      const pod = { containers: [{ name: 'web', image: at.repository }] };
      const labels = { app: 'web' };
      const documents = [
        ...names.map((name) => ({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name }, data })),
        {
          ...{ apiVersion: 'apps/v1', kind: 'Deployment', metadata: { name: 'web' } },
          spec: { selector: { matchLabels: labels }, template: { metadata: { labels }, spec: pod } },
        },
      ];
      await writeFile(join(folder, 'all.yaml'), documents.map((one) => stringify(one)).join('---\n'));
      return at.deploy({}, { workingFolder: folder });
    });

  const requestsOf = ({ log }: Run): number => Number(/with (\d+) requests/.exec(log)?.[1]);

  it('reads them by one list, and one by one where the namespace has many others', async () => {
    succeeded(await deploy({ a: '1' }));
    const again = succeeded(await deploy({ a: '1' }));
    assert.equal(again.said.outputs.get('changed'), 'false', again.log);
    assert.ok(requestsOf(again) < 10, again.log);
    const { client, name: namespace } = at.namespace;
    for (let other = 0; other < 45; other += 1) {
      const metadata = { name: `other-${other}`, namespace };
      await client.create({ apiVersion: 'v1', kind: 'ConfigMap', metadata }, soon());
    }
    const crowded = succeeded(await deploy({ a: '1' }));
    assert.equal(crowded.said.outputs.get('changed'), 'false', crowded.log);
    assert.ok(requestsOf(crowded) > names.length, crowded.log);
    const changed = succeeded(await deploy({ a: '2' }));
    assert.match(changed.log, /Updated ConfigMap 'settings-39'/);
  });
});
