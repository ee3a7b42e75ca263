import assert from 'node:assert/strict';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import fc from 'fast-check';
import { extract } from 'tar-stream';
import { createArchive, type TarMember } from '../../../src/tar/archive.ts';
import { tarHeader } from '../../../src/tar/header.ts';
import { contentMember, folderMember, foldersOf } from '../../../src/tar/members.ts';

interface Read {
  readonly name: string;
  readonly type: string | undefined;
  readonly mode: number | undefined;
  readonly size: number | undefined;
  readonly link: string | undefined;
  readonly content: string;
}

async function readTar(members: readonly TarMember[]): Promise<Read[]> {
  const entries = extract();
  Readable.from(createArchive(members).open()).pipe(entries);
  const found: Read[] = [];
  for await (const entry of entries) {
    const content = (await buffer(entry)).toString('hex');
    const { name, type, mode, size, linkname, uid, gid, mtime } = entry.header;
    assert.deepEqual([uid, gid, mtime?.getTime()], [0, 0, 0]);
    found.push({ name, type: type ?? undefined, mode, size, link: linkname ?? undefined, content });
  }
  return found;
}

describe('tar archive', () => {
  const part = fc
    .string({ unit: 'grapheme', minLength: 1, maxLength: 60 })
    .filter((text) => !/[/\0]/.test(text));
  const path = fc
    .array(part, { minLength: 1, maxLength: 6 })
    .map((parts) => parts.join('/'))
    .filter((text) => !/(^|\/)\.{1,2}(\/|$)/.test(text));

  it('gives another reader the names, modes and contents that went in, whatever they are', async () => {
    const file = fc.record({ path, content: fc.uint8Array({ maxLength: 2000 }), executable: fc.boolean() });
    await fc.assert(
      fc.asyncProperty(fc.array(file, { maxLength: 8 }), async (files) => {
        const members = files.map((one) => contentMember(one.path, Buffer.from(one.content), one.executable));
        const expected = files.map((one) => ({
          name: one.path,
          type: 'file',
          mode: one.executable ? 0o755 : 0o644,
          size: one.content.byteLength,
          link: undefined,
          content: Buffer.from(one.content).toString('hex'),
        }));
        assert.deepEqual(await readTar(members), expected);
      }),
      { numRuns: 100 },
    );
  });

  it('writes folders and links, also with long targets', async () => {
    const target = `../${'x'.repeat(150)}`;
    const link: TarMember = { path: 'a/link', type: 'link', size: 0, target };
    const [folder, read] = await readTar([folderMember('a'), link]);
    assert.deepEqual([folder?.type, folder?.mode], ['directory', 0o755]);
    assert.deepEqual([read?.type, read?.link], ['symlink', target]);
  });

  it('can be read from any byte', async () => {
    const members = [
      contentMember('one', Buffer.alloc(700, 1), false),
      contentMember('two', Buffer.alloc(512, 2), false),
    ];
    const archive = createArchive(members);
    const whole = await buffer(archive.open());
    assert.equal(whole.byteLength, archive.size);
    for (let offset = 0; offset <= archive.size; offset += 97) {
      const rest = await buffer(archive.open(offset));
      assert.equal(rest.equals(whole.subarray(offset)), true, `from ${offset}`);
    }
  });

  it('gives many small files in few large parts', async () => {
    const members = Array.from({ length: 2000 }, (_, index) =>
      contentMember(`f${index}`, Buffer.from('x'), false),
    );
    const parts: number[] = [];
    for await (const part of createArchive(members).open()) parts.push(part.byteLength);
    assert.ok(parts.length < 10, `${parts.length} parts`);
  });

  it('says where each content lies', async () => {
    const archive = createArchive([folderMember('d'), contentMember('d/f', Buffer.from('content'), false)]);
    const whole = await buffer(archive.open());
    const [content] = archive.contents;
    assert.ok(content);
    assert.equal(whole.toString('utf8', content.start, content.start + content.size), 'content');
  });

  it('names sizes of 8 GiB and more in a pax header', () => {
    const size = 9 * 1024 ** 3;
    const header = tarHeader({ path: 'weights', type: 'file', size });
    assert.match(header.toString('latin1'), new RegExp(`\\d+ size=${size}\\n`));
    assert.equal(tarHeader({ path: 'weights', type: 'file', size: 8 ** 11 - 1 }).byteLength, 512);
  });

  it('lists the folders of paths, parents first', () => {
    assert.deepEqual(foldersOf('app', ['a/b/c', 'a/d', 'e']), ['app', 'app/a', 'app/a/b']);
  });
});
