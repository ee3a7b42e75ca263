import assert from 'node:assert/strict';
import { stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { makeFolder } from '../../../src/files/folder.ts';
import { withFolder } from '../../support/folder.ts';

describe('a folder with its parents', () => {
  it('is made level by level, and again without harm', () =>
    withFolder(async (root) => {
      const folder = join(root, 'a', 'b', 'c');
      await Promise.all([makeFolder(folder), makeFolder(folder)]);
      await makeFolder(folder);
      assert.ok((await stat(folder)).isDirectory());
    }));

  it('is refused where a file is in its way', () =>
    withFolder(async (root) => {
      await writeFile(join(root, 'file'), '');
      await assert.rejects(makeFolder(join(root, 'file')), { code: 'EEXIST' });
      await assert.rejects(makeFolder(join(root, 'file', 'below')), { code: /ENOTDIR|EEXIST/ });
    }));

  it('is refused at once by a file system that takes no new entries', async () => {
    const place = process.platform === 'linux' ? '/proc/1/model' : join('/', '\0');
    await assert.rejects(makeFolder(place));
  });
});
