import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type Run, soon } from '../support/deployment.ts';
import { withFolder } from '../support/folder.ts';
import { releases } from '../support/releases.ts';

describe('DeployToAks before the switch', function () {
  this.timeout(120_000);
  const at = releases(
    'verify',
    [
      { tag: '1', modelVersion: 'v1', created: '2026-01-01T00:00:00Z' },
      { tag: '2', modelVersion: 'v2-b5', created: '2026-01-02T00:00:00Z' },
      { tag: '3', modelVersion: 'v3', created: '2026-01-03T00:00:00Z', behaviour: 'crash' },
      { tag: 'slow', modelVersion: 'v4', created: '2026-01-04T00:00:00Z', behaviour: 'slow' },
    ],
    { appName: 'web', readinessPath: '/healthz' },
  );

  const deploy = (
    tag: string,
    inputs: Record<string, string>,
    workingFolder = '/nonexistent',
  ): Promise<Run> => at.deploy({ tagFilter: `^${tag}$`, ...inputs }, { workingFolder });

  /** The test application answers 0.2 for 'v1' and 0.5 for 'v2-b5'. */
  const withGolden = (expected: object, use: (folder: string) => Promise<void>): Promise<void> =>
    withFolder(async (folder) => {
      const request = { method: 'POST', path: '/score', json: { text: 'hello' } };
      const golden = {
        model: 'sentiment',
        tolerance: 0.01,
        cases: [{ name: 'a greeting', request, expected }],
      };
      await writeFile(join(folder, 'golden.json'), JSON.stringify(golden));
      await use(folder);
    });

  const imagesRunning = async (): Promise<string[]> => {
    const pods = { apiVersion: 'v1', kind: 'Pod', namespace: at.namespace.name };
    const { items } = await at.namespace.client.list(pods, soon());
    return items.map((pod) => pod.metadata.name);
  };

  it('rolls out a model whose predictions are as approved, and leaves no trial pod', async () => {
    await withGolden({ v1: { score: 0.2 } }, async (folder) => {
      const run = await deploy('1', { verifyFile: 'golden.json' }, folder);
      assert.equal(run.error, undefined, `${run.error?.message}\n${run.log}`);
      assert.match(run.log, /Golden predictions: 1 of 1 as expected/);
      assert.deepEqual(
        (await imagesRunning()).filter((name) => name.includes('trial')),
        [],
      );
    });
  });

  it('keeps a model back whose predictions differ, and changes nothing', async () => {
    await withGolden({ 'v2-b5': { score: 0.9 } }, async (folder) => {
      const before = await imagesRunning();
      const run = await deploy('2', { verifyFile: 'golden.json' }, folder);
      assert.equal(run.error?.code, 'VERIFY_FAILED', run.log);
      assert.match(run.error?.message ?? '', /a greeting: \$\.score is 0\.5, expected 0\.9/);
      assert.equal(run.said.outputs.get('changed'), 'false');
      assert.equal(run.said.outputs.get('rolledBack'), 'false');
      const now = await imagesRunning();
      assert.deepEqual(now.filter((name) => !name.includes('trial')).sort(), before.sort());
    });
  });

  it('keeps a model back that is slower than the stable one, and shows both', async () => {
    await withGolden({ v4: { score: 0.2 } }, async (folder) => {
      const inputs = { verifyFile: 'golden.json', verifySamples: '80', verifyLatency: '20' };
      const run = await deploy('slow', inputs, folder);
      assert.equal(run.error?.code, 'VERIFY_FAILED', run.log);
      assert.match(run.error?.message ?? '', /the median is \d+ ms/);
      assert.match(run.log, /Verification: fail[\s\S]*Answers that differ between the sides +0 of 80/);
      assert.equal(run.said.outputs.get('verification'), 'fail');
      assert.match([...run.said.summaries.values()].join(''), /Time p50/);
    });
  });

  it('proves nothing by fewer answers than were asked for', async () => {
    await withGolden({ 'v2-b5': { score: 0.5 } }, async (folder) => {
      const inputs = { verifyFile: 'golden.json', verifySamples: '100000', verifyTimeout: '1' };
      const run = await deploy('2', inputs, folder);
      assert.equal(run.error?.code, 'VERIFICATION_INCONCLUSIVE', run.log);
      assert.equal(run.said.outputs.get('changed'), 'false');
    });
  });

  it('keeps a model back for which nothing was approved', async () => {
    await withGolden({ v1: { score: 0.2 } }, async (folder) => {
      const run = await deploy('2', { verifyFile: 'golden.json' }, folder);
      assert.equal(run.error?.code, 'GOLDEN_INCONCLUSIVE', run.log);
    });
  });

  it('explains an image that does not even start by its last log lines', async () => {
    await withGolden({ v3: { score: 0.2 } }, async (folder) => {
      const run = await deploy('3', { verifyFile: 'golden.json' }, folder);
      assert.equal(run.error?.code, 'ROLLOUT_CRASH', run.log);
      assert.match(run.log, /the model file is corrupt/);
      assert.match(run.log, /Nothing was changed/);
    });
  });

  it('only shows what would change in a dry run', async () => {
    const run = await deploy('2', { dryRun: 'true', replicas: '3' });
    assert.equal(run.error, undefined, `${run.error?.message}\n${run.log}`);
    assert.match(run.log, /~ spec\.replicas: 2 → 3/);
    assert.match(run.log, /~ spec\.template\.spec\.containers\[web\]\.image: .* → /);
    const ref = { apiVersion: 'apps/v1', kind: 'Deployment', namespace: at.namespace.name, name: 'web' };
    const live = await at.namespace.client.get(ref, soon());
    assert.ok(live);
    assert.equal((live['spec'] as { replicas: number }).replicas, 2);
  });
});
