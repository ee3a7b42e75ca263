import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import type { ModelStore, ReadOptions, StoredFile } from '../../src/model/store.ts';
import { openLane } from '../../src/model/transfer/direct.ts';

/** A store under test, and its publisher's side. */
export interface StoreUnderTest {
  readonly store: ModelStore;
  put(name: string, content: Uint8Array): Promise<void>;
  remove(name: string): Promise<void>;
  /** What an immutable store still gives by a file's old identity; others refuse it. */
  readonly keeps?: readonly ('overwritten' | 'removed')[];
  /** Stops what was started for it. */
  close?(): Promise<void>;
}

/** What a kind of store is like. */
export interface StoreTraits {
  /** It holds the versions of one model, `m`, and no files beside them. */
  readonly versionsOnly?: boolean;
  /** A file's name that it takes, where it does not take every one. */
  readonly oddName?: string;
}

async function listed(store: ModelStore, prefix: string): Promise<StoredFile[]> {
  const files: StoredFile[] = [];
  for await (const file of store.list(prefix, new AbortController().signal)) files.push(file);
  return files;
}

async function content(
  store: ModelStore,
  file: StoredFile,
  range: Omit<ReadOptions, 'signal'> = {},
): Promise<Buffer> {
  const pieces: Uint8Array[] = [];
  const body = await store.read(file, { signal: new AbortController().signal, ...range });
  for await (const piece of body) pieces.push(piece);
  return Buffer.concat(pieces);
}

/** What every model store must do; `open` makes an empty one. */
export function behavesAsModelStore(
  name: string,
  open: () => Promise<StoreUnderTest>,
  { versionsOnly = false, oddName = 'ü +%#&.txt' }: StoreTraits = {},
): void {
  describe(`the model store ${name}`, () => {
    const big = randomBytes(2_000_000);
    let tested: StoreUnderTest;

    before(async function () {
      this.timeout(120_000);
      tested = await open();
      await tested.put('m/1.0/a.bin', big);
      await tested.put('m/1.0/empty', new Uint8Array());
      await tested.put(`m/1.0/sub/${oddName}`, Buffer.from('odd name'));
      await tested.put('m/1/b', Buffer.from('b'));
      if (versionsOnly) return;
      await tested.put('m/loose', Buffer.from('loose'));
      await tested.put('mm/other', Buffer.from('x'));
    });

    after(async () => {
      await tested?.close?.();
    });

    const one = async (file: string): Promise<StoredFile> => {
      const [found] = await listed(tested.store, file);
      assert.ok(found);
      return found;
    };

    it('names its source without any credential', () => {
      const url = new URL(tested.store.source.url);
      assert.deepEqual([url.search, url.username, url.password], ['', '', '']);
    });

    it('lists the files below a prefix in ascending order, with size, identity and time', async () => {
      const files = await listed(tested.store, 'm/');
      assert.deepEqual(
        files.map((file) => [file.name, file.size]),
        [
          ['m/1.0/a.bin', 2_000_000],
          ['m/1.0/empty', 0],
          [`m/1.0/sub/${oddName}`, 8],
          ['m/1/b', 1],
          ...(versionsOnly ? [] : [['m/loose', 5]]),
        ],
      );
      for (const file of files) {
        assert.notEqual(file.etag, '');
        assert.ok(Math.abs(file.lastModified.getTime() - Date.now()) < 3_600_000);
      }
    });

    it('lists nothing below a prefix that does not exist', async () => {
      assert.deepEqual(await listed(tested.store, 'none/'), []);
    });

    it('tells the names one level below a prefix, folders by their slash', async () => {
      const { signal } = new AbortController();
      assert.deepEqual(await tested.store.children('m/', signal), [
        '1.0/',
        '1/',
        ...(versionsOnly ? [] : ['loose']),
      ]);
      // A server that other tests use has their models too.
      const models = (await tested.store.children('', signal)).filter((name) => /^m+\/$/.test(name));
      assert.deepEqual(models, versionsOnly ? ['m/'] : ['m/', 'mm/']);
      assert.deepEqual(await tested.store.children('m/1.0/', signal), ['a.bin', 'empty', 'sub/']);
      assert.deepEqual(await tested.store.children('none/', signal), []);
    });

    it('reads whole files, empty ones and ranges', async () => {
      const file = await one('m/1.0/a.bin');
      assert.ok(big.equals(await content(tested.store, file)));
      assert.ok(big.subarray(1_999_990).equals(await content(tested.store, file, { offset: 1_999_990 })));
      const range = await content(tested.store, file, { offset: 1000, length: 70_000 });
      assert.ok(big.subarray(1000, 71_000).equals(range));
      assert.equal((await content(tested.store, await one('m/1.0/empty'))).length, 0);
      assert.equal(String(await content(tested.store, await one('m/1.0/sub/'))), 'odd name');
    });

    it('gives the same bytes to whoever asks past its client, where it says how', async () => {
      const lane = openLane(tested.store, 5000);
      const { signal } = new AbortController();
      try {
        for (const [name, offset, length] of [
          ['m/1.0/a.bin', 0, big.length],
          ['m/1.0/a.bin', 1_234_567, 700_000],
          [`m/1.0/sub/${oddName}`, 4, 4],
        ] as const) {
          const file = await one(name);
          const pieces: Buffer[] = [];
          const take = (bytes: Uint8Array) => void pieces.push(Buffer.from(bytes));
          const taken = await lane.read(file, { offset, length, signal }, take);
          assert.equal(taken, tested.store.direct !== undefined);
          if (taken)
            assert.ok(Buffer.concat(pieces).equals(await content(tested.store, file, { offset, length })));
        }
      } finally {
        lane.close();
      }
    });

    it('gives a file that is overwritten another identity, and never the new bytes by the old one', async () => {
      await tested.put('m/changing/file', Buffer.from('before'));
      const before = await one('m/changing/file');
      await tested.put('m/changing/file', Buffer.from('after!'));
      const after = await one('m/changing/file');
      assert.notDeepEqual([after.etag, after.versionId], [before.etag, before.versionId]);
      assert.equal(String(await content(tested.store, after)), 'after!');
      if (tested.keeps?.includes('overwritten')) {
        assert.equal(String(await content(tested.store, before)), 'before');
        if (tested.store.asOf !== undefined && before.versionId !== undefined) {
          const { signal } = new AbortController();
          const found = await tested.store.asOf(before.name, before.versionId, signal);
          assert.deepEqual([found?.etag, found?.size], [before.etag, before.size]);
          assert.equal(await tested.store.asOf('m/1/b', before.versionId, signal), undefined);
        }
        assert.equal(String(await content(tested.store, before, { offset: 1, length: 2 })), 'ef');
        return;
      }
      await assert.rejects(content(tested.store, before), { code: 'MODEL_CHANGED' });
      await assert.rejects(content(tested.store, before, { offset: 1, length: 2 }), {
        code: 'MODEL_CHANGED',
      });
    });

    it('refuses to read a file that is gone, or gives it as it was', async () => {
      await tested.put('m/passing/file', Buffer.from('x'));
      const file = await one('m/passing/file');
      await tested.remove('m/passing/file');
      if (tested.keeps?.includes('removed')) {
        assert.deepEqual(await listed(tested.store, 'm/passing/'), []);
        assert.equal(String(await content(tested.store, file)), 'x');
        return;
      }
      await assert.rejects(content(tested.store, file), { code: 'MODEL_CHANGED' });
    });

    it('ends listing and reading when it is told to stop', async () => {
      const signal = AbortSignal.abort(new Error('stop'));
      const file = await one('m/1.0/a.bin');
      await assert.rejects(async () => {
        for await (const _ of tested.store.list('m/', signal)) assert.fail('listed');
      });
      await assert.rejects(tested.store.read(file, { signal }));
      await assert.rejects(tested.store.children('m/', signal));
    });
  });
}
