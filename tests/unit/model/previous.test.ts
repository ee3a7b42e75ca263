import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { createArtifactStore, type RunRecord } from '../../../local/agent/artifacts.ts';
import { definitionIdOf, projectId } from '../../../local/agent/run/ids.ts';
import { startBuildService } from '../../../local/agent/service/builds.ts';
import { createLock, type ModelLock, writeLock } from '../../../src/model/lock.ts';
import { differs, type Earlier, findBaseline } from '../../../src/model/previous/compare.ts';
import { lockAttachment, type PipelineBranch } from '../../../src/model/previous/lastRun.ts';
import { recall, remember } from '../../../src/model/previous/memory.ts';
import { withFolder } from '../../support/folder.ts';

const source = { type: 'http', url: 'https://models.test/credit' } as const;

function lockOf(version: string, name = 'credit'): ModelLock {
  const files = [{ path: 'w', name: `${name}/${version}/w`, size: 1, etag: `"${version}"` }];
  return createLock({ name, version, source, files });
}

const nowhere: Earlier = { runs: { reason: 'Not here.' }, pipeline: 'nightly', source, model: 'credit' };

/** Runs that Azure DevOps keeps, oldest first, and the place that a job of pipeline `nightly` names. */
async function withRuns(
  folder: string,
  runs: readonly (Partial<RunRecord> & { readonly locks: readonly ModelLock[] })[],
  use: (place: PipelineBranch) => Promise<void>,
): Promise<void> {
  const artifacts = createArtifactStore(join(folder, 'runs'));
  for (const [index, { locks, ...run }] of runs.entries()) {
    const buildId = index + 1;
    const usual = { definitionName: 'nightly', sourceBranch: 'refs/heads/main', result: 'Succeeded' };
    artifacts.record({ ...usual, buildId, buildNumber: `20300101.${buildId}`, sourceVersion: 'abc', ...run });
    for (const [step, lock] of locks.entries()) {
      const file = join(folder, 'attached.json');
      await writeLock(file, lock);
      artifacts.attach(buildId, `step${step}`, { type: lockAttachment, name: 'model', file });
    }
  }
  const accessToken = randomBytes(16).toString('hex');
  const service = await startBuildService(artifacts, accessToken);
  const definition = definitionIdOf('nightly');
  try {
    await use({
      ...{ collection: `${service.url}/`, project: projectId, definition },
      ...{ branch: 'refs/heads/main', accessToken },
    });
  } finally {
    await service.close();
  }
}

describe('What a model is compared with', () => {
  it('is the given lock file before all else, and a damaged one is refused', () =>
    withFolder(async (folder) => {
      const lockFile = join(folder, 'earlier.json');
      const cacheFolder = join(folder, 'cache');
      await remember(cacheFolder, nowhere, lockOf('2'));
      const earlier = { ...nowhere, lockFile, cacheFolder };
      const without = await findBaseline(earlier);
      assert.match(without.baseline?.what ?? '', /cache/);
      assert.match(without.notes.join(' '), /no lock of an earlier run at .* yet/);
      await writeLock(lockFile, lockOf('1'));
      const { baseline } = await findBaseline(earlier);
      assert.equal(baseline?.locks[0]?.version, '1');
      assert.ok(baseline && !differs(baseline, lockOf('1')) && differs(baseline, lockOf('2')));
      await writeFile(lockFile, '{"schemaVersion": 1}');
      await assert.rejects(findBaseline(earlier), { code: 'INPUT_INVALID' });
    }));

  it('is the last run of this pipeline and branch that succeeded, by the lock of this very model', () =>
    withFolder((folder) =>
      withRuns(
        folder,
        [
          { locks: [lockOf('1')] },
          { locks: [lockOf('9', 'fraud'), lockOf('2')] },
          { result: 'Failed', locks: [lockOf('3')] },
          { result: 'Running', locks: [lockOf('4')] },
          { sourceBranch: 'refs/heads/other', locks: [lockOf('5')] },
          { definitionName: 'other', locks: [lockOf('6')] },
        ],
        async (runs) => {
          const { notes, baseline } = await findBaseline({ ...nowhere, runs });
          assert.deepEqual(notes, []);
          assert.deepEqual(baseline?.locks, [lockOf('2')]);
          assert.equal(baseline.what, 'the last successful run 20300101.2');
          const elsewhere = await findBaseline({ ...nowhere, runs: { ...runs, branch: 'refs/heads/new' } });
          assert.ok(elsewhere.baseline && differs(elsewhere.baseline, lockOf('2')));
          const other = await findBaseline({ ...nowhere, runs, model: 'churn' });
          assert.equal(other.baseline, undefined);
          assert.match(other.notes.join(' '), /attached no lock of this model/);
        },
      ),
    ));

  it('is what the cache remembers where Azure DevOps refuses, and the log tells why without the token', () =>
    withFolder((folder) =>
      withRuns(folder, [{ locks: [lockOf('2')] }], async (runs) => {
        const cacheFolder = join(folder, 'cache');
        await remember(cacheFolder, nowhere, lockOf('1'));
        const wrong = { ...runs, accessToken: 'not-the-token' };
        const { notes, baseline } = await findBaseline({ ...nowhere, runs: wrong, cacheFolder });
        assert.equal(baseline?.locks[0]?.version, '1');
        assert.match(notes.join(' '), /could not be asked of Azure DevOps: .*401/);
        assert.ok(!notes.join(' ').includes('not-the-token'));
        const unseen = await findBaseline({ ...nowhere, runs: { ...runs, project: 'elsewhere' } });
        assert.match(unseen.notes.join(' '), /does not show this project's runs/);
      }),
    ));

  it('is not waited for without end', async () => {
    const silent = createServer(() => undefined);
    await new Promise<void>((listening) => silent.listen(0, '127.0.0.1', listening));
    const collection = `http://127.0.0.1:${(silent.address() as AddressInfo).port}/`;
    const runs = {
      collection,
      project: projectId,
      definition: 7,
      branch: 'refs/heads/main',
      accessToken: 'token',
    };
    const { notes, baseline } = await findBaseline({ ...nowhere, runs }, 200);
    silent.closeAllConnections();
    silent.close();
    assert.equal(baseline, undefined);
    assert.match(notes.join(' '), /no answer within 0\.2 s/);
  });

  it('is remembered for each pipeline by itself, and a damaged memory is none', () =>
    withFolder(async (folder) => {
      await remember(folder, nowhere, lockOf('1'));
      assert.deepEqual(await recall(folder, nowhere), lockOf('1'));
      assert.equal(await recall(folder, { ...nowhere, pipeline: 'other' }), undefined);
      assert.equal(await recall(folder, { ...nowhere, model: 'fraud' }), undefined);
    }));
});
