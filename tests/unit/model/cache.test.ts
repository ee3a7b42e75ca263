import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { mkdir, readdir, readFile, utimes, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { openCache } from '../../../src/model/cache/cache.ts';
import type { LockedFile } from '../../../src/model/lock.ts';
import { withFolder } from '../../support/folder.ts';

const source = { type: 'azureBlob', url: 'https://a.example/models' } as const;
const { signal } = new AbortController();

function locked(content: string): LockedFile {
  const sha256 = createHash('sha256').update(content).digest('hex');
  return { path: 'f', name: `m/${content}`, size: content.length, etag: content, sha256 };
}

async function contents(folder: string): Promise<string[]> {
  const entries = await readdir(join(folder, 'content'), { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile());
  return (await Promise.all(files.map((file) => readFile(join(file.parentPath, file.name), 'utf8')))).sort();
}

describe('the cache of models', () => {
  it('finds content by its hash, or by the source when nobody recorded one', () =>
    withFolder(async (folder) => {
      const [file, location, destination] = [locked('one'), join(folder, 'f'), join(folder, 'copy')];
      await writeFile(location, 'one');
      const cache = openCache(join(folder, 'cache'), source, 1000);
      assert.equal(await cache.take(file, destination, signal), undefined);
      await cache.keep(file, location);
      assert.deepEqual(await cache.take(file, destination, signal), file);
      const { sha256: _, ...unknown } = file;
      assert.deepEqual(await cache.take(unknown, destination, signal), file);
      assert.equal(await readFile(destination, 'utf8'), 'one');
      assert.equal(await cache.take({ ...unknown, etag: 'other' }, destination, signal), undefined);
    }));

  it('gives copies: a change in place changes no other', () =>
    withFolder(async (folder) => {
      const [file, location, destination] = [locked('one'), join(folder, 'f'), join(folder, 'copy')];
      await writeFile(location, 'one');
      const cache = openCache(join(folder, 'cache'), source, 1000);
      await cache.keep(file, location);
      await cache.take(file, destination, signal);
      await writeFile(destination, 'two', { flag: 'r+' });
      assert.equal(await readFile(location, 'utf8'), 'one');
      assert.deepEqual(await contents(join(folder, 'cache')), ['one']);
    }));

  it('keeps within its limit by removing what was unused for longest', () =>
    withFolder(async (folder) => {
      const place = join(folder, 'cache');
      const cache = openCache(place, source, 8);
      const location = join(folder, 'f');
      for (const [age, content] of ['old', 'mid', 'new'].entries()) {
        const file = locked(content);
        await writeFile(location, content);
        await cache.keep(file, location);
        const used = new Date(Date.now() - (10 - age) * 60_000);
        const sha256 = file.sha256 ?? '';
        await utimes(join(place, 'content', sha256.slice(0, 2), sha256), used, used);
      }
      // Use makes the oldest one the youngest.
      await cache.take(locked('old'), join(folder, 'copy'), signal);
      await cache.trim();
      assert.deepEqual(await contents(place), ['new', 'old']);
    }));

  it('gives right bytes to agents that take, keep and evict at once, and stays within its limit', () =>
    withFolder(async (folder) => {
      const place = join(folder, 'cache');
      const texts = Array.from({ length: 12 }, (_, at) => `${at}`.repeat(500));
      let taken = 0;
      // Each agent goes through the same files in an order of its own; the cache has room for a third of them.
      const agent = async (name: number): Promise<void> => {
        const cache = openCache(place, source, 3000);
        for (let step = 0; step < 60; step += 1) {
          const content = texts[(step * (name * 2 + 1) + name) % texts.length] ?? '';
          const [file, location] = [locked(content), join(folder, `agent${name}`, `${step}`)];
          if ((await cache.take(file, location, signal)) === undefined) {
            await mkdir(dirname(location), { recursive: true });
            await writeFile(location, content);
          } else {
            taken += 1;
          }
          assert.equal(await readFile(location, 'utf8'), content);
          await cache.keep(file, location);
          await cache.trim();
        }
      };
      await Promise.all([0, 1, 2, 3].map(agent));
      assert.ok(taken > 0);
      await openCache(place, source, 3000).trim();
      const kept = await contents(place);
      assert.ok(kept.join('').length <= 3000);
      assert.deepEqual(
        kept.filter((content) => !texts.includes(content)),
        [],
      );
    }));
});
