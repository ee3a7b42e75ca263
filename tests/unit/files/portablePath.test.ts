import assert from 'node:assert/strict';
import { posix, win32 } from 'node:path';
import fc from 'fast-check';
import { pathCollision, pathProblem } from '../../../src/files/portablePath.ts';

describe('names from a store as paths', () => {
  it('are accepted when every system makes the same file of them', () => {
    for (const path of [
      'model.onnx',
      'a/b/c.bin',
      'ü/日本.txt',
      '.hidden',
      'a b',
      'console',
      'com10',
      'a..b',
    ]) {
      assert.equal(pathProblem(path), undefined, path);
    }
  });

  it('are refused when they leave the folder, name a device, or change on some system', () => {
    const refused = [
      ...['', '/etc/passwd', '..', 'a/../../b', './a', 'a//b', 'a/', '//host/share'],
      ...['C:', 'C:/x', 'c:x', 'a\\b', '..\\x', '\\\\host\\share', 'a:stream'],
      ...['CON', 'nul.txt', 'sub/Aux', 'com1', 'LPT9.bin', 'COM¹', 'conin$'],
      ...['a.', 'a ', 'dir./x', '...', 'a\u0000b', 'a\nb', 'a\u007f', 'a?', 'a*', 'x|y', '<a>', '"'],
      ...['\ud800', 'x'.repeat(241)],
    ];
    for (const path of refused) assert.notEqual(pathProblem(path), undefined, JSON.stringify(path));
  });

  it('stay below the target by the rules of Linux and of Windows, whatever is accepted', () => {
    const odd = fc.constantFrom('..', '.', '', 'C:', '~', 'a.', '\\', '/', '\\..\\', 'nul');
    const part = fc.oneof({ weight: 4, arbitrary: fc.string({ unit: 'grapheme', minLength: 1 }) }, odd);
    const anyPath = fc.array(part, { minLength: 1, maxLength: 4 }).map((parts) => parts.join('/'));
    fc.assert(
      fc.property(anyPath, (path) => {
        fc.pre(pathProblem(path) === undefined);
        assert.ok(posix.resolve('/target', path).startsWith('/target/'));
        assert.ok(win32.resolve('D:\\target', path).startsWith('D:\\target\\'));
      }),
      { numRuns: 2000 },
    );
  });

  it('collide when they differ by case or normalisation only, or one is a folder of the other', () => {
    assert.deepEqual(pathCollision(['a', 'b/c', 'b/d']), undefined);
    assert.deepEqual(pathCollision(['x/Model', 'x/model']), ['x/Model', 'x/model']);
    assert.deepEqual(pathCollision(['\u00fc', 'u\u0308']), ['\u00fc', 'u\u0308']);
    assert.deepEqual(pathCollision(['a/b', 'A']), ['A', 'a/b']);
  });
});
