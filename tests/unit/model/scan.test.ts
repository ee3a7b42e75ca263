import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { deflateSync, gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { zipSync } from 'fflate';
import { byteReader } from '../../../src/model/scan/bytes.ts';
import { inspectFile } from '../../../src/model/scan/inspect.ts';
import { inspectModel } from '../../../src/model/scan/model.ts';
import { pickleImports } from '../../../src/model/scan/pickle.ts';
import { withFolder } from '../../support/folder.ts';

const { signal } = new AbortController();

/** `pickle.dumps({'w': [1, 2], 'e': Evil()}, protocol)`, where Evil's __reduce__ is (os.system, ('echo pwned',)). */
const evil = [
  'KGRwMApWdwpwMQoobHAyCkkxCmFJMgphc1ZlCnAzCmNwb3NpeApzeXN0ZW0KcDQKKFZlY2hvIHB3bmVkCnA1CnRwNgpScDcKcy4=',
  'fXEAKFgBAAAAd3EBXXECKEsBSwJlWAEAAABlcQNjcG9zaXgKc3lzdGVtCnEEKFgKAAAAZWNobyBwd25lZHEFdHEGUnEHdS4=',
  'gAJ9cQAoWAEAAAB3cQFdcQIoSwFLAmVYAQAAAGVxA2Nwb3NpeApzeXN0ZW0KcQRYCgAAAGVjaG8gcHduZWRxBYVxBlJxB3Uu',
  'gAN9cQAoWAEAAAB3cQFdcQIoSwFLAmVYAQAAAGVxA2Nwb3NpeApzeXN0ZW0KcQRYCgAAAGVjaG8gcHduZWRxBYVxBlJxB3Uu',
  'gASVOQAAAAAAAAB9lCiMAXeUXZQoSwFLAmWMAWWUjAVwb3NpeJSMBnN5c3RlbZSTlIwKZWNobyBwd25lZJSFlFKUdS4=',
  'gAWVOQAAAAAAAAB9lCiMAXeUXZQoSwFLAmWMAWWUjAVwb3NpeJSMBnN5c3RlbZSTlIwKZWNobyBwd25lZJSFlFKUdS4=',
].map((text) => Buffer.from(text, 'base64'));

const [, , protocol2 = Buffer.alloc(0), , protocol4 = Buffer.alloc(0)] = evil;

/** `pickle.dumps(collections.OrderedDict(b=2), 2)`. */
const harmless = Buffer.from(
  '\x80\x02ccollections\nOrderedDict\nq\x00)Rq\x01X\x01\x00\x00\x00bq\x02K\x02s.',
  'latin1',
);

async function findings(name: string, content: Uint8Array): Promise<string[]> {
  return withFolder(async (folder) => {
    const file = join(folder, 'content');
    await writeFile(file, content);
    return (await inspectFile(file, name, signal)).map(
      (finding) => `${finding.kind} ${finding.file} ${finding.text}`,
    );
  });
}

async function* pieces(content: Uint8Array, size: number): AsyncGenerator<Uint8Array> {
  for (let start = 0; start < content.length; start += size) yield content.subarray(start, start + size);
}

describe('the inspection of model files', () => {
  for (const [protocol, content] of evil.entries()) {
    it(`finds the command that a pickle of protocol ${protocol} runs`, async () => {
      assert.deepEqual(await findings('model.pkl', content), [
        'dangerous model.pkl imports posix.system when it is loaded: it runs commands or code',
      ]);
    });
  }

  it('finds it in a pickle after another one, in pieces of any size', async () => {
    const both = Buffer.concat([harmless, protocol4]);
    for (const size of [1, 2, 3, 7, 1000]) {
      const result = await pickleImports(byteReader(pieces(both, size), Number.POSITIVE_INFINITY));
      assert.equal(result.whole, 2);
      assert.deepEqual(result.imports, [
        { module: 'collections', name: 'OrderedDict' },
        { module: 'posix', name: 'system' },
      ]);
    }
  });

  it('finds it by its names in the memo, and calls a computed name dangerous', async () => {
    const memoized = '\x80\x04\x8c\x05posix\x94\x8c\x06system\x940h\x00h\x01\x93.';
    assert.match(String(await findings('m.pkl', Buffer.from(memoized, 'latin1'))), /imports posix\.system/);
    const computed = '\x80\x04\x8c\x05posixK\x01\x93.';
    assert.match(String(await findings('m.pkl', Buffer.from(computed, 'latin1'))), /name is computed/);
  });

  it('finds it under any name when the first bytes are those of a pickle', async () => {
    assert.equal((await findings('weights.bin', protocol4)).length, 1);
  });

  it('finds it within PyTorch, NumPy and compressed joblib files', async () => {
    const torch = zipSync({
      'archive/data.pkl': protocol2,
      'archive/data/0': randomBytes(50_000),
      'archive/version': Buffer.from('3\n'),
    });
    assert.deepEqual(await findings('model.pt', torch), [
      'dangerous model.pt: archive/data.pkl imports posix.system when it is loaded: it runs commands or code',
    ]);
    const header = "{'descr': '|O', 'fortran_order': False, 'shape': (1,), }\n";
    const lead = Buffer.from([0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59, 1, 0, header.length, 0]);
    const numpy = Buffer.concat([lead, Buffer.from(header), protocol4]);
    assert.equal((await findings('labels.npy', numpy)).length, 1);
    assert.equal((await findings('labels.npz', zipSync({ 'a.npy': numpy }))).length, 1);
    assert.equal((await findings('model.joblib', deflateSync(protocol4))).length, 1);
    assert.equal((await findings('model.pkl.gz', gzipSync(protocol4))).length, 1);
  });

  it('finds it after bytes that are no opcodes, as joblib writes its arrays', async () => {
    const wrapped = Buffer.concat([harmless.subarray(0, -1), Buffer.alloc(300_000, 0xff), protocol4]);
    assert.equal((await findings('model.joblib', wrapped)).length, 1);
  });

  it('finds the Lambda layer of a Keras model, in HDF5 and in its archive', async () => {
    const layer = '{"class_name": "Lambda", "config": {"function": ["4wEAAA=="]}}';
    const hdf5 = Buffer.concat([
      Buffer.from('\x89HDF\r\n\x1a\n', 'latin1'),
      randomBytes(100_000),
      Buffer.from(layer),
    ]);
    assert.match(String(await findings('model.h5', hdf5)), /dangerous model\.h5 has a Keras Lambda layer/);
    assert.match(
      String(await findings('model.keras', zipSync({ 'config.json': Buffer.from(layer) }))),
      /model\.keras: config\.json has a Keras Lambda layer/,
    );
    assert.deepEqual(
      await findings('model.keras', zipSync({ 'config.json': Buffer.from('{"class_name": "Dense"}') })),
      [],
    );
  });

  it('has nothing against harmless pickles, weights and texts', async () => {
    assert.deepEqual(await findings('model.pkl', harmless), []);
    assert.deepEqual(await findings('model.onnx', randomBytes(100_000)), []);
    assert.deepEqual(await findings('notes.txt', Buffer.from('import os; os.system("x")')), []);
    assert.deepEqual(await findings('empty.pkl', Buffer.alloc(0)), []);
  });

  it('leaves no file open, of whatever kind', () =>
    withFolder(async (folder) => {
      const location = join(folder, 'x');
      const openFiles = async (): Promise<number> => (await readdir('/dev/fd')).length;
      const before = await openFiles();
      const contents = [
        randomBytes(600_000),
        protocol4,
        gzipSync(randomBytes(600_000)),
        zipSync({ 'a.pkl': protocol4 }),
      ];
      for (let round = 0; round < 10; round += 1) {
        for (const content of contents) {
          await writeFile(location, content);
          await inspectFile(location, 'x.pkl.gz', signal);
        }
      }
      // Closing goes through the thread pool: it ends a moment after it was asked for.
      for (let turns = 0; turns < 200 && (await openFiles()) > before; turns += 1) await sleep(10);
      assert.ok((await openFiles()) <= before);
    }));

  it('says what it cannot inspect', async () => {
    const broken = zipSync({ 'archive/data.pkl': protocol2 }).subarray(0, 60);
    assert.match(String(await findings('model.pt', broken)), /^unclear model\.pt cannot be inspected/);
  });

  it('ends with an answer for any bytes', () =>
    fc.assert(
      fc.asyncProperty(
        fc.uint8Array({ maxLength: 200 }),
        fc.integer({ min: 1, max: 50 }),
        async (content, size) => {
          const result = await pickleImports(byteReader(pieces(content, size), Number.POSITIVE_INFINITY));
          assert.ok(result.whole > 0 || result.brokenOff !== undefined);
        },
      ),
      { numRuns: 500 },
    ));

  it('fails the run only when it is told to, and names the file, the import and why', () =>
    withFolder(async (folder) => {
      const location = join(folder, 'x');
      await writeFile(location, protocol4);
      const files = [{ path: 'sub/model.pkl', location }];
      assert.equal((await inspectModel(files, 'warn', signal)).length, 1);
      assert.deepEqual(await inspectModel(files, 'off', signal), []);
      await assert.rejects(inspectModel(files, 'fail', signal), {
        code: 'CONTENT_UNSAFE',
        message: /'sub\/model\.pkl' imports posix\.system when it is loaded: it runs commands or code/,
      });
    }));
});
