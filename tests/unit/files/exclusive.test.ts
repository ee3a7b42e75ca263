import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readdir, utimes, writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { exclusively } from '../../../src/files/exclusive.ts';
import { withFolder } from '../../support/folder.ts';

const options = { signal: new AbortController().signal, onWait: () => undefined };

describe('exclusive work in a folder', () => {
  it('is done by one at a time, and leaves nothing', () =>
    withFolder(async (folder) => {
      let inside = 0;
      let most = 0;
      const work = async (): Promise<void> => {
        inside += 1;
        most = Math.max(most, inside);
        await sleep(20);
        inside -= 1;
      };
      await Promise.all([1, 2, 3].map(() => exclusively(join(folder, 'busy'), options, work)));
      assert.equal(most, 1);
      assert.deepEqual(await readdir(folder), []);
    }));

  it('gives the folder free after a failure', () =>
    withFolder(async (folder) => {
      const file = join(folder, 'busy');
      const fails = exclusively(file, options, () => Promise.reject(new Error('no')));
      await assert.rejects(fails, /no/);
      assert.equal(await exclusively(file, options, async () => 'free'), 'free');
    }));

  it('takes over from a process that was killed, and from one that has been silent for long', () =>
    withFolder(async (folder) => {
      const file = join(folder, 'busy');
      const { pid } = spawnSync(process.execPath, ['-e', '']);
      await writeFile(file, JSON.stringify({ id: 'x', machine: hostname(), pid }));
      assert.equal(await exclusively(file, options, async () => 'taken'), 'taken');
      await writeFile(file, JSON.stringify({ id: 'x', machine: 'another machine', pid: 1 }));
      const longAgo = new Date(Date.now() - 120_000);
      await utimes(file, longAgo, longAgo);
      assert.equal(await exclusively(file, options, async () => 'taken'), 'taken');
    }));

  it('waits for a living process, says so, and gives up in the end or when it is cancelled', () =>
    withFolder(async (folder) => {
      const file = join(folder, 'busy');
      await writeFile(file, JSON.stringify({ id: 'x', machine: hostname(), pid: process.pid }));
      const waits: number[] = [];
      const waiting = { ...options, onWait: () => void waits.push(1), patienceMs: 300 };
      await assert.rejects(
        exclusively(file, waiting, async () => undefined),
        { code: 'TARGET_BUSY' },
      );
      assert.equal(waits.length, 1);
      const signal = AbortSignal.timeout(50);
      await assert.rejects(
        exclusively(file, { ...options, signal }, async () => undefined),
        { name: 'AbortError' },
      );
    }));
});
