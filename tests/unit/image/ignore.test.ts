import assert from 'node:assert/strict';
import { mkdir, symlink, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { folderMembers } from '../../../src/image/layers/folder.ts';
import { parseIgnoreRules, ruleFor, usuallyIgnored } from '../../../src/image/layers/ignore.ts';
import { withFolder } from '../../support/folder.ts';

function kept(text: string, paths: readonly string[]): string[] {
  const rules = parseIgnoreRules(text, usuallyIgnored);
  return paths.filter((path) => !rules.excludes(path));
}

describe('.dockerignore', () => {
  it('takes patterns from the root, and folders with all they hold', () => {
    assert.deepEqual(kept('tests\n/docs/', ['tests/a.py', 'src/tests/a.py', 'docs/x', 'src/docs']), [
      'src/tests/a.py',
      'src/docs',
    ]);
  });

  it('lets the last rule decide, also against an excluded folder', () => {
    assert.deepEqual(kept('*\n!app.py\n!static/keep', ['app.py', 'b.py', 'static/keep/x', 'static/y']), [
      'app.py',
      'static/keep/x',
    ]);
    assert.deepEqual(kept('!a.txt\n*.txt', ['a.txt']), []);
  });

  it('keeps out one folder of any name by a rule of its own, and none that lies elsewhere', () => {
    const root = join(tmpdir(), 'context');
    for (const name of ['model', '#model', '!model', 'mo*del', '[model]', 'a/model']) {
      const rule = ruleFor(root, join(root, ...name.split('/'))) ?? '';
      const paths = [`${name}/weights.bin`, 'other/model/x', 'moXdel/x', 'm/x'];
      assert.deepEqual(kept(`!*\n${rule}`, paths), paths.slice(1), name);
    }
    for (const elsewhere of [root, join(root, '..'), join(root, '..', 'context2'), undefined]) {
      assert.equal(ruleFor(root, elsewhere), undefined);
    }
  });

  it('matches any depth by two stars only, and reads comments and spaces as Docker does', () => {
    assert.deepEqual(kept('# all of them\n  **/*.pyc  \n*.log', ['a/b.pyc', 'c.pyc', 'd.log', 'e/f.log']), [
      'e/f.log',
    ]);
  });

  it('leaves version control out unless a rule brings it back', () => {
    assert.deepEqual(kept('', ['.git/HEAD', 'lib/.git/HEAD', '.gitignore', 'x/__pycache__/y']), [
      '.gitignore',
    ]);
    assert.deepEqual(kept('!.git/HEAD', ['.git/HEAD', '.git/config']), ['.git/HEAD']);
  });
});

describe("an application's folder", () => {
  const signal = new AbortController().signal;
  const membersOf = (folder: string, rules = '') =>
    folderMembers({ folder, input: 'appFolder', rules: parseIgnoreRules(rules, []), signal });

  it('is read in one order, with links that stay inside, and modes by content', async () => {
    await withFolder(async (folder) => {
      await mkdir(join(folder, 'b'));
      await writeFile(join(folder, 'b', 'z'), 'text');
      await writeFile(join(folder, 'b', 'A'), '#!/bin/sh\n');
      await writeFile(join(folder, 'c.bin'), '\x7fELF');
      await symlink('b/z', join(folder, 'a'));
      const members = await membersOf(folder);
      assert.deepEqual(
        members.map(({ path, type, executable }) => [path, type, executable ?? false]),
        [
          ['a', 'link', false],
          ['b', 'folder', false],
          ['b/A', 'file', true],
          ['b/z', 'file', false],
          ['c.bin', 'file', true],
        ],
      );
    });
  });

  it('is refused with links that lead outside and with sockets, until they are ignored', async () => {
    await withFolder(async (folder) => {
      await symlink('../../etc/passwd', join(folder, 'escape'));
      await assert.rejects(membersOf(folder), { code: 'FILE_UNUSABLE', message: /escape.*outside/ });
    });
    await withFolder(async (folder) => {
      const server = createServer().listen(join(folder, 'socket'));
      try {
        await assert.rejects(membersOf(folder), { code: 'FILE_UNUSABLE', message: /socket/ });
        assert.deepEqual(await membersOf(folder, 'socket'), []);
      } finally {
        server.close();
      }
    });
  });

  it('is named when it is not there', async () => {
    await withFolder(async (folder) => {
      await assert.rejects(membersOf(join(folder, 'none')), {
        code: 'FOLDER_NOT_FOUND',
        message: /appFolder/,
      });
    });
  });

  it('is refused when a file changes while it is read', async () => {
    await withFolder(async (folder) => {
      await writeFile(join(folder, 'f'), 'first');
      const [member] = await membersOf(folder);
      for (const later of ['longer than before', 'x']) {
        await writeFile(join(folder, 'f'), later);
        const read = async (): Promise<void> => {
          for await (const part of member?.open?.(0) ?? []) assert.ok(part.byteLength > 0);
        };
        await assert.rejects(read(), { code: 'FILE_CHANGED' });
      }
    });
  });
});
