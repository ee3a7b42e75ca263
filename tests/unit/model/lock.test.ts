import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import fc from 'fast-check';
import {
  createLock,
  type LockedFile,
  parseLock,
  readLock,
  setDigest,
  writeLock,
} from '../../../src/model/lock.ts';
import { withFolder } from '../../support/folder.ts';

const hex = fc.string({ unit: fc.constantFrom(...'0123456789abcdef'), minLength: 64, maxLength: 64 });
const lockedFile: fc.Arbitrary<LockedFile> = fc.record(
  {
    path: fc.string({ minLength: 1 }),
    size: fc.nat(),
    etag: fc.string({ minLength: 1 }),
    name: fc.string({ minLength: 1 }),
    sha256: hex,
  },
  { noNullPrototype: true },
);
const files = fc.uniqueArray(lockedFile, { minLength: 1, maxLength: 6, selector: (file) => file.path });
const source = { type: 'azureBlob', url: 'https://a.example/models' } as const;

describe('the model lock', () => {
  it('reads back what it wrote, whatever the order of the files', () => {
    fc.assert(
      fc.property(files, fc.boolean(), (list, reverse) => {
        const lock = createLock({ name: 'm', version: '1', source, files: list });
        const other = createLock({
          name: 'm',
          version: '1',
          source,
          files: reverse ? [...list].reverse() : list,
        });
        assert.deepEqual(parseLock(JSON.stringify(lock)), lock);
        assert.deepEqual(other, lock);
      }),
    );
  });

  it('has a digest of contents alone: not of source, ETags or names', () => {
    fc.assert(
      fc.property(files, (list) => {
        const moved = list.map((file) => ({ ...file, etag: 'other', name: `elsewhere/${file.name}` }));
        const lock = createLock({ name: 'm', version: '1', source, files: list });
        const other = createLock({ name: 'n', version: '2', source, files: moved });
        assert.equal(other.digest, lock.digest);
        assert.notEqual(other.fingerprint, lock.fingerprint);
      }),
    );
  });

  it('has no digest while one hash is not known', () => {
    assert.equal(setDigest([{ path: 'a', size: 1 }]), undefined);
  });

  it('is refused after a change, and when it is something else', () =>
    withFolder(async (folder) => {
      const file = join(folder, 'model.lock.json');
      const lock = createLock({
        name: 'm',
        version: '1',
        source,
        files: [{ path: 'a', size: 1, etag: 'e', name: 'm/1/a', sha256: 'a'.repeat(64) }],
      });
      await writeLock(file, lock);
      assert.deepEqual(await readLock(file), lock);
      for (const content of [
        JSON.stringify({ ...lock, version: '2' }),
        JSON.stringify({ ...lock, size: 2 }),
        JSON.stringify({ ...lock, files: [] }),
        JSON.stringify({ ...lock, schemaVersion: 2 }),
        '[]',
        'not JSON',
      ]) {
        await writeFile(file, content);
        await assert.rejects(readLock(file), { code: 'LOCK_INVALID' });
      }
      await assert.rejects(readLock(join(folder, 'none')), { code: 'LOCK_UNREADABLE' });
    }));
});
