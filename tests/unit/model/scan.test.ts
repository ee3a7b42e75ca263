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

function short(text: string): string {
  return `\x8c${String.fromCharCode(text.length)}${text}`;
}

const call = "S'x'\n\x85R.";
const system = `${short('os')}${short('system')}\x93${call}`;
/** Pickles that run os.system, or reach it, in ways by which inspections were deceived. */
const disguised: Readonly<Record<string, string>> = {
  'escapes in a text of protocol 0': `V\\u006fs\nVsys\\u0074em\n\x93${call}`,
  'escapes in a quoted text': `S'\\x6fs'\nS'sys\\164em'\n\x93${call}`,
  'a memo that two kinds of opcodes fill': `\x80\x04${short('collections')}q\x00${short('OrderedDict')}q\x05${short('os')}\x94${short('system')}\x940000h\x02h\x03\x93${call}`,
  'large keys of the memo': `\x80\x04${short('os')}r\x10\x27\x00\x00${short('system')}\x9400j\x10\x27\x00\x00h\x01\x93${call}`,
  INST: "(S'x'\nios\nsystem\n.",
  OBJ: "(cos\nsystem\nS'x'\no.",
  'the registry of extensions': "\x80\x02ccopyreg\nadd_extension\n(S'os'\nS'system'\nK\x05tR.",
  'an import by its number in the registry': `\x80\x02\x82\x05${call}`,
  'a path through a module that imports it': `\x80\x04${short('torch.serialization')}${short('os.system')}\x93${call}`,
  'a path through private names': `\x80\x04${short('collections')}${short('_sys.modules.get')}\x93${call}`,
  'a path through attributes': `\x80\x04${short('collections')}${short('OrderedDict.__init__.__globals__')}\x93${call}`,
  'bytes after it that are no pickle': `\x80\x04${system.slice(0, -1)}\xff\xff\xff`,
  'a stream that ends too early': `\x80\x04${system.slice(0, -3)}`,
  'a frame of a wrong length': `\x80\x05\x95\xff\xff\x00\x00\x00\x00\x00\x00${system}`,
  'PROTO 0': "\x80\x00cos\nsystem\n(S'x'\ntR.",
  'a line that is longer than any name': `V${'x'.repeat(1_100_000)}\n0${system}`,
  'an argument of a line that is longer than any number': `I${'1'.repeat(1_100_000)}\n0${system}`,
  'a key of the memo that nothing keeps': `\x80\x02Nr\xff\xff\xff\x7f${system}`,
  'texts by the older opcodes, after bytes that are no pickle': `\x80\x02\xff\xffX\x02\x00\x00\x00osq\x01T\x06\x00\x00\x00system\x93`,
  'lines of texts, after bytes that are no pickle': `\x80\x02\xff\xffVos\np0\nVsystem\np1\n\x93`,
  'another pickle in bytes': `\x80\x04${short('pickle')}${short('loads')}\x93C\x05\x80\x04${short('')}.\x85R.`,
};

/** One of each module that picklescan 1.0.5 calls dangerous, and some that lead to other pickles. */
const published = [
  ...['eval', 'compile', 'getattr', 'apply', 'exec', 'open', 'breakpoint'].flatMap((name) => [
    ['builtins', name],
    ['__builtin__', name],
  ]),
  ...['_builtin_type', '_make_function', '_function_setstate', 'subimport'].map((name) => [
    'cloudpickle.cloudpickle',
    name,
  ]),
  ...['attrgetter', 'itemgetter', 'methodcaller'].flatMap((name) => [
    ['operator', name],
    ['_operator', name],
  ]),
  ...'aiohttp asyncio bdb commands ctypes httplib numpy.f2py nt posix os runpy shutil socket ssl subprocess sys cProfile pdb pickle _pickle pip pty profile pydoc test timeit uuid venv webbrowser _osx_support _aix_support _pyrepl'
    .split(' ')
    .map((module) => [module, 'anything']),
  ...'types.CodeType functools.partial logging.FileHandler _io.FileIO requests.api.get numpy.testing._private.utils.runstring distutils.file_util.write_file doctest.debug_script ensurepip._run_pip imaplib.IMAP4_stream pkgutil.resolve_name torch._inductor.codecache.compile_file torch.jit.unsupported_tensor_ops.execWrapper torch.serialization.load torch.utils.bottleneck.__main__.run_cprofile torch.utils.collect_env.run torch.utils.data.datapipes.utils.decoder.basichandlers urllib.request.urlopen lib2to3.pgen2.grammar.loads idlelib.calltip.get_entity torch.load numpy.load pandas.read_pickle joblib.load'
    .split(' ')
    .map((path) => [path.slice(0, path.lastIndexOf('.')), path.slice(path.lastIndexOf('.') + 1)]),
  ['torch._dynamo.guards', 'GuardBuilder.get'],
  ['torch.fx.experimental.symbolic_shapes', 'ShapeEnv.evaluate_guards_expression'],
  ['torch.utils._config_module', 'ConfigModule.load_config'],
  ['code', 'InteractiveInterpreter.runcode'],
  ['trace', 'Trace.run'],
] as const;

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

  for (const [what, pickle] of Object.entries(disguised)) {
    it(`finds the command that is disguised by ${what}`, async () => {
      const bytes = Buffer.from(pickle, 'latin1');
      assert.match(String(await findings('model.pkl', bytes)), /^dangerous/);
      if (pickle.startsWith('\x80')) assert.match(String(await findings('model.bin', bytes)), /^dangerous/);
    });
  }

  it('finds whatever the published scanners call dangerous, by each way to import it', async () => {
    for (const [module, name] of published) {
      for (const pickle of [
        `\x80\x02c${module}\n${name}\n.`,
        `\x80\x04${short(module)}${short(name)}\x93.`,
      ]) {
        const found = await findings('model.pkl', Buffer.from(pickle, 'latin1'));
        assert.match(String(found), /^dangerous/, `${module}.${name}`);
      }
    }
  });

  it('finds protocol 0 under names that often hold other things, which cost nothing', async () => {
    const plain = Buffer.from("cos\nsystem\n(S'x'\ntR.");
    for (const name of ['model.bin', 'model.dat', 'pickle', 'a/model.pth']) {
      assert.match(String(await findings(name, plain)), /^dangerous/, name);
    }
    assert.deepEqual(await findings('model.bin', Buffer.concat([Buffer.alloc(9), plain])), []);
  });

  it('finds it in archives that are made to hide it', async () => {
    for (const level of [0, 9] as const) {
      const archive = Buffer.from(
        zipSync({ '../evil': Buffer.from('x'), 'a/data.pkl': protocol4 }, { level }),
      );
      assert.match(String(await findings('model.pt', archive)), /posix\.system/);
      const flagged = Buffer.from(archive);
      for (const [signature, flags] of [
        ['PK\x03\x04', 6],
        ['PK\x01\x02', 8],
      ] as const) {
        for (let at = flagged.indexOf(signature); at >= 0; at = flagged.indexOf(signature, at + 4)) {
          flagged.writeUInt8(flagged.readUInt8(at + flags) | 1, at + flags);
        }
      }
      assert.match(String(await findings('model.pt', flagged)), /posix\.system/);
      const behind = Buffer.concat([Buffer.from('other bytes'), archive]);
      assert.match(String(await findings('model.keras', behind)), /^dangerous/);
      const named = Buffer.from(archive);
      named.write('z/none.xyz', named.indexOf('a/data.pkl'));
      assert.match(String(await findings('model.pt', named)), /posix\.system/);
    }
    const endless = zipSync({ 'a/data.pkl': protocol4 }, { level: 0 }).subarray(0, -10);
    assert.match(String(await findings('model.pt', endless)), /posix\.system/);
  });

  it('finds it in a legacy PyTorch file, one by tar and one by pickles in a row', async () => {
    const tar = Buffer.concat([Buffer.from('pickle'.padEnd(512, '\0')), protocol4, Buffer.alloc(1024)]);
    assert.match(String(await findings('model.pt', tar)), /posix\.system/);
    const row = Buffer.concat([harmless, harmless, protocol4, randomBytes(1000)]);
    assert.match(String(await findings('model.pt', row)), /posix\.system/);
  });

  it('says of packings that it does not unpack that it did not look inside', async () => {
    for (const magic of ['BZh9', '\xfd7zXZ\0', '\x5d\0\0', '\x04\x22\x4d\x18']) {
      const content = Buffer.concat([Buffer.from(magic, 'latin1'), randomBytes(100)]);
      assert.match(String(await findings('model.joblib', content)), /^unclear .* is packed by/);
    }
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
    const arrayOf = (type: string): Buffer => {
      const header = `{'descr': ${type}, 'fortran_order': False, 'shape': (1,), }\n`;
      const lead = Buffer.from([0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59, 1, 0, header.length, 0]);
      return Buffer.concat([lead, Buffer.from(header), protocol4]);
    };
    const numpy = arrayOf("'|O'");
    assert.equal((await findings('labels.npy', numpy)).length, 1);
    assert.equal((await findings('labels.npy', arrayOf("[('a', '<i4'), ('b', '|O')]"))).length, 1);
    for (const numbers of ["'<f8'", "'<M8[ns]'", "[('a', '<i4'), ('b', '|S10', (2, 3))]"]) {
      assert.deepEqual(await findings('labels.npy', arrayOf(numbers)), []);
    }
    for (const disguise of ['"|O"', "'\\x4f'", "'object'", "['<f8', 'O'][1]", "('O')"]) {
      assert.equal((await findings('labels.npy', arrayOf(disguise))).length, 1, disguise);
    }
    const large = Buffer.concat([
      Buffer.from('\x93NUMPY\x02\x00\xff\xff\xff\x7f', 'latin1'),
      Buffer.alloc(99),
    ]);
    assert.match(String(await findings('labels.npy', large)), /^unclear.*larger than that of any array/);
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
    const spelled = layer.replace(': "Lambda"', ' : "Lambd\\u0061"');
    assert.match(String(await findings('config.json', Buffer.from(spelled))), /Lambda layer/);
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

  it('ends a run that is to be safe where a file may hold a pickle that cannot be inspected', () =>
    withFolder(async (folder) => {
      const location = join(folder, 'x');
      await writeFile(location, 'BZh91AY&SY');
      const inspect = (path: string) => inspectModel([{ path, location }], 'fail', signal);
      await assert.rejects(inspect('model.joblib'), { code: 'CONTENT_UNSAFE', message: /packed by bzip2/ });
      assert.deepEqual(await inspect('labels.txt'), []);
    }));

  it('keeps so many findings as can be told', async () => {
    const names = Array.from({ length: 60 }, (_, at) => `\x80\x02cos\nf${at}${'x'.repeat(400)}\n.`);
    const found = await findings('model.pkl', Buffer.from(names.join(''), 'latin1'));
    assert.equal(found.length, 51);
    assert.equal(found.at(-1), 'dangerous model.pkl has 10 more findings');
    assert.ok(found.every((text) => text.length < 400));
  });
});
