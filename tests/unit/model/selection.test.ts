import assert from 'node:assert/strict';
import fc from 'fast-check';
import { compareNatural } from '../../../src/model/selection/order.ts';
import { pathFilter } from '../../../src/model/selection/patterns.ts';
import { rankSemver } from '../../../src/model/selection/semantic.ts';
import { flatVersionName, versionBuilder } from '../../../src/model/selection/version.ts';

const name = fc.string({ unit: fc.constantFrom('v', '0', '1', '9', '.', '-', 'a', 'B', 'ü') });

describe('natural order of names', () => {
  it('compares numbers by value, however long', () => {
    const names = ['v10', 'v9', 'v9.10', 'v9.9', 'v1', 'v99999999999999999999', 'v100000000000000000000'];
    assert.deepEqual(names.sort(compareNatural), [
      'v1',
      'v9',
      'v9.9',
      'v9.10',
      'v10',
      'v99999999999999999999',
      'v100000000000000000000',
    ]);
  });

  it('is a total order: antisymmetric, transitive, equal only for equal names', () => {
    fc.assert(
      fc.property(name, name, name, (a, b, c) => {
        assert.equal(Math.sign(compareNatural(a, b)) + Math.sign(compareNatural(b, a)), 0);
        assert.equal(compareNatural(a, b) === 0, a === b);
        if (compareNatural(a, b) <= 0 && compareNatural(b, c) <= 0) assert.ok(compareNatural(a, c) <= 0);
      }),
    );
  });
});

describe('semantic order of versions', () => {
  it('takes short, prefixed and dated versions, and leaves other names out', () => {
    const names = ['v2', '10.0', '2.1.3', 'latest', '2024.07.01', '1.2.3.4', '2.1.3+build5'];
    assert.deepEqual(rankSemver(names), ['2024.07.01', '10.0', '2.1.3+build5', '2.1.3', 'v2']);
  });

  it('counts a pre-release only when the range names one', () => {
    const names = ['1.0.0', '2.0.0-rc.1', '2.0.0-rc.2'];
    assert.deepEqual(rankSemver(names), ['1.0.0']);
    assert.deepEqual(rankSemver(names, '>=2.0.0-rc.1'), ['2.0.0-rc.2', '2.0.0-rc.1']);
  });
});

describe('file patterns', () => {
  const chosen = (patterns: string[], paths: string[]): string[] => paths.filter(pathFilter(patterns));
  const paths = ['a.onnx', 'a.txt', 'sub/b.onnx', 'sub/.hidden', '#note'];

  it('take all files by **, hidden ones too', () => assert.deepEqual(chosen(['**'], paths), paths));

  it('add and take away in order', () => {
    assert.deepEqual(chosen(['**/*.onnx'], paths), ['a.onnx', 'sub/b.onnx']);
    assert.deepEqual(chosen(['**', '!sub/**'], paths), ['a.onnx', 'a.txt', '#note']);
    assert.deepEqual(chosen(['!**', 'a.*'], paths), ['a.onnx', 'a.txt']);
    assert.deepEqual(chosen(['!*.txt'], paths), ['a.onnx', 'sub/b.onnx', 'sub/.hidden', '#note']);
  });

  it('read a leading # as a character, not as a comment', () =>
    assert.deepEqual(chosen(['#*'], paths), ['#note']));
});

describe('the version of flat files', () => {
  const file = (path: string, etag: string) => ({
    path,
    stored: { name: path, size: 1, etag, lastModified: new Date(0) },
  });

  it('is the ETag of a single file, without its quotation marks', () =>
    assert.equal(flatVersionName([file('a', '"0x8D"')]), '0x8D'));

  it('depends on every ETag and name, and not on the order', () => {
    const both = [file('a', '1'), file('b', '2')];
    assert.equal(flatVersionName(both), flatVersionName([...both].reverse()));
    assert.notEqual(flatVersionName(both), flatVersionName([file('a', '1'), file('b', '3')]));
    assert.notEqual(flatVersionName(both), flatVersionName([file('a', '2'), file('b', '1')]));
  });
});

describe('a version that was just written', () => {
  const written = (ageMs: number, quietSeconds: number) => {
    const builder = versionBuilder({ filter: () => true, ready: { quietSeconds } });
    const lastModified = new Date(Date.now() - ageMs);
    builder.add('a', { name: 'a', size: 1, etag: '1', lastModified });
    return builder.unready();
  };

  it('counts at once, also by a clock that is ahead of the agent', () => {
    assert.equal(written(0, 0), undefined);
    assert.equal(written(-60_000, 0), undefined);
  });

  it('waits for the quiet that is asked for', () => {
    assert.match(written(-60_000, 5) ?? '', /0 s old, and 5 s of quiet/);
    assert.equal(written(60_000, 5), undefined);
  });
});
