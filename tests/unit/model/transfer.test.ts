import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { appendFile, readFile, stat, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setImmediate as turn } from 'node:timers/promises';
import fc from 'fast-check';
import { hashThreads } from '../../../src/model/transfer/hasher.ts';
import { journalFileName, openJournal } from '../../../src/model/transfer/journal.ts';
import { adaptiveBudget, type Budget, type Job, runJobs } from '../../../src/model/transfer/pool.ts';
import { largestRange, rangesOf } from '../../../src/model/transfer/ranges.ts';
import { withFolder } from '../../support/folder.ts';

const { signal } = new AbortController();

describe('ranges of a file', () => {
  it('cover it once, without gap, each of at most the range size', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 2 ** 40 }), (size) => {
        fc.pre(size / largestRange < 5000);
        const ranges = rangesOf(size);
        let position = 0;
        for (const range of ranges) {
          assert.equal(range.start, position);
          assert.ok(range.end > range.start && range.end - range.start <= largestRange);
          position = range.end;
        }
        assert.equal(position, size);
      }),
    );
  });
});

describe('the journal of a transfer', () => {
  it('remembers finished ranges of the same version, whatever the file is called', () =>
    withFolder(async (folder) => {
      const first = await openJournal(folder, 'sha256:a');
      await Promise.all([first.record('sub dir/ü 1.bin', 0), first.record('sub dir/ü 1.bin', 7)]);
      await first.close();
      const second = await openJournal(folder, 'sha256:a');
      assert.deepEqual([...second.finished('sub dir/ü 1.bin')], [0, 7]);
      assert.deepEqual([...second.finished('other')], []);
      await second.record('other', 1);
      await second.close();
      const third = await openJournal(folder, 'sha256:a');
      assert.deepEqual([...third.finished('other')], [1]);
      await third.close();
    }));

  it('believes nothing of another version, of an earlier start of the system, or a line cut off', () =>
    withFolder(async (folder) => {
      const file = join(folder, journalFileName);
      const written = await openJournal(folder, 'sha256:a');
      await written.record('f', 1);
      await written.record('f', 12);
      await written.close();
      const finished = async (fingerprint: string): Promise<number[]> => {
        const content = await readFile(file);
        const journal = await openJournal(folder, fingerprint);
        const found = [...journal.finished('f')];
        await journal.close();
        await writeFile(file, content);
        return found;
      };
      assert.deepEqual(await finished('sha256:a'), [1, 12]);
      assert.deepEqual(await finished('sha256:b'), []);
      await truncate(file, (await stat(file)).size - 1);
      assert.deepEqual(await finished('sha256:a'), [1]);
      await appendFile(file, '\n');
      const [header = '', ...lines] = (await readFile(file, 'utf8')).split('\n');
      const [name, bytes, start] = header.split(' ');
      await writeFile(file, [`${name} ${bytes} ${Number(start) - 60}`, ...lines].join('\n'));
      assert.deepEqual(await finished('sha256:a'), []);
    }));
});

describe('the budget of a transfer', () => {
  it('halves when the service is overloaded, and recovers one by one', () => {
    const budget = adaptiveBudget({ first: 16, most: 64 });
    budget.lessen();
    budget.lessen();
    assert.equal(budget.limit, 4);
    for (let count = 0; count < 8; count += 1) budget.succeed(1);
    assert.equal(budget.limit, 5);
    for (let count = 0; count < 10; count += 1) budget.lessen();
    assert.equal(budget.limit, 1);
    for (let count = 0; count < 1000; count += 1) budget.succeed(1);
    assert.equal(budget.limit, 16);
  });

  /** A second of transfer over a way that carries so many jobs' bytes and no more. */
  const second = (budget: Budget, carries: number, tick: () => void): void => {
    tick();
    budget.succeed(Math.min(budget.limit, carries) * 1000);
  };

  it('grows while more at a time bring more, and goes back where they do not', () => {
    let time = 0;
    const tick = (): void => {
      time += 1000;
    };
    const budget = adaptiveBudget({ first: 16, most: 64, now: () => time });
    const limits = Array.from({ length: 4 }, () => {
      second(budget, 30, tick);
      return budget.limit;
    });
    // 36 brought more than 24 did, since the way carries 30; 54 brought nothing.
    assert.deepEqual(limits, [24, 36, 54, 36]);
    for (let count = 0; count < 10; count += 1) second(budget, 30, tick);
    assert.equal(budget.limit, 36);
  });

  it('never grows beyond its most, nor after an overload', () => {
    let time = 0;
    const tick = (): void => {
      time += 1000;
    };
    const budget = adaptiveBudget({ first: 16, most: 40, now: () => time });
    for (let count = 0; count < 5; count += 1) second(budget, 1000, tick);
    assert.equal(budget.limit, 40);
    budget.lessen();
    for (let count = 0; count < 2000; count += 1) second(budget, 1000 + count, tick);
    assert.equal(budget.limit, 40);
    const fresh = adaptiveBudget({ first: 16, most: 40, now: () => time });
    fresh.lessen();
    for (let count = 0; count < 1000; count += 1) second(fresh, 1000 + count, tick);
    assert.equal(fresh.limit, 16);
  });

  it('is never exceeded, and every job runs once, in order of start', async () => {
    let running = 0;
    let most = 0;
    const started: number[] = [];
    const jobs = Array.from(
      { length: 50 },
      (_, index): Job =>
        async () => {
          started.push(index);
          running += 1;
          most = Math.max(most, running);
          await turn();
          running -= 1;
          return 0;
        },
    );
    await runJobs(jobs, adaptiveBudget({ first: 3, most: 3 }), signal);
    assert.equal(most, 3);
    assert.deepEqual(
      started,
      jobs.map((_, index) => index),
    );
  });

  it('stops at the first failure, aborts the others and waits for them', async () => {
    const events: string[] = [];
    const waits: Job = async (stop) => {
      await new Promise((resolve) => stop.addEventListener('abort', resolve));
      await turn();
      events.push('ended');
      return 0;
    };
    const fails: Job = async () => {
      throw new Error('first');
    };
    const never: Job = async () => events.push('started too late');
    await assert.rejects(
      runJobs([waits, fails, never, never], adaptiveBudget({ first: 2, most: 2 }), signal),
      /first/,
    );
    assert.deepEqual(events, ['ended']);
  });

  it('ends with the reason of a cancellation', async () => {
    const stop = new AbortController();
    const job: Job = async () => {
      stop.abort(new Error('cancelled'));
      return 0;
    };
    await assert.rejects(
      runJobs([job, job], adaptiveBudget({ first: 1, most: 1 }), stop.signal),
      /cancelled/,
    );
  });
});

describe('hashing beside a transfer', () => {
  it('gives the digest of the whole file, however it grew', () =>
    withFolder(async (folder) => {
      const file = join(folder, 'f');
      const content = randomBytes(3_000_000);
      await writeFile(file, content.subarray(0, 1_000_000));
      const threads = hashThreads();
      const [sha256, md5] = [threads.follow(file, 'sha256'), threads.follow(file, 'md5')];
      sha256.advance(500_000);
      await appendFile(file, content.subarray(1_000_000));
      sha256.advance(2_000_000);
      assert.equal(await sha256.digest(content.length), createHash('sha256').update(content).digest('hex'));
      assert.equal(await md5.digest(content.length), createHash('md5').update(content).digest('hex'));
      await threads.close();
    }));

  it('fails when the file is shorter than was said, or is not there', () =>
    withFolder(async (folder) => {
      const file = join(folder, 'f');
      await writeFile(file, 'short');
      const threads = hashThreads();
      await assert.rejects(threads.follow(file, 'sha256').digest(6), /ends before/);
      await assert.rejects(threads.follow(join(folder, 'none'), 'sha256').digest(0), /ENOENT/);
      await threads.close();
    }));
});
