import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { mkdir, readFile, symlink, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { StorageEndpoint } from '../../local/lib/endpoints.ts';
import { parseLock } from '../../src/model/lock.ts';
import { newContainer, publish } from '../support/blobs.ts';
import { withFaultProxy } from '../support/faultProxy.ts';
import { failureOf, fetchModel, filesBelow, keyInputs } from '../support/fetch.ts';
import { withFolder } from '../support/folder.ts';
import { services } from '../support/services.ts';

/** Last-Modified has whole seconds: what is published after this is newer. */
const laterSecond = (): Promise<void> => sleep(1100);

function sha256(content: string): string {
  return createHash('sha256').update(content).digest('hex');
}

describe('FetchModel', () => {
  let storage: StorageEndpoint;

  before(async function () {
    this.timeout(120_000);
    ({ storage } = await services('storage'));
  });

  describe('with folders of versions', () => {
    let container: Awaited<ReturnType<typeof newContainer>>;

    before(async () => {
      container = await newContainer(storage);
      await publish(container, {
        'credit/10.0/model.onnx': 'ten',
        'credit/9.0/model.onnx': 'nine',
        'credit/9.1-beta/model.onnx': 'beta',
        'credit/README.md': 'not a version',
        'creditworthiness/99/model.onnx': 'another model',
      });
      await laterSecond();
      await publish(container, { 'credit/2.0/model.onnx': 'two', 'credit/2.0/meta/labels.txt': 'yes\nno' });
    });

    const inputs = (folder: string, more: Record<string, string> = {}) => ({
      ...keyInputs(storage, container.containerName, join(folder, 'model')),
      model: 'credit',
      ...more,
    });

    it('brings every file of the version that was last written, and says why', () =>
      withFolder(async (folder) => {
        const said = await fetchModel(inputs(folder));
        assert.equal(said.outputs.get('modelVersion'), '2.0');
        assert.deepEqual(await filesBelow(join(folder, 'model')), [
          'meta/labels.txt',
          'model.lock.json',
          'model.onnx',
        ]);
        assert.equal(await readFile(join(folder, 'model', 'model.onnx'), 'utf8'), 'two');
        const log = said.lines.join('\n');
        assert.match(log, /> 2\.0 /);
        assert.match(log, /^ {2}10\.0 /m);
        assert.match(log, /Chosen: 2\.0, because its newest file, of .* is the newest of 4 version\(s\)/);
        assert.match(log, /1 file\(s\) beside the version folders/);
      }));

    it('writes a lock that tells each file with its SHA-256, and gives it as output and attachment', () =>
      withFolder(async (folder) => {
        const said = await fetchModel(inputs(folder));
        const content = await readFile(said.outputs.get('modelLock') ?? '', 'utf8');
        const lock = parseLock(content);
        assert.deepEqual(
          lock?.files.map((file) => [file.path, file.size, file.sha256]),
          [
            ['meta/labels.txt', 6, sha256('yes\nno')],
            ['model.onnx', 3, sha256('two')],
          ],
        );
        assert.equal(said.outputs.get('modelDigest'), lock?.digest);
        assert.equal(said.outputs.get('modelSize'), '9');
        assert.equal(said.outputs.get('modelName'), 'credit');
        assert.equal(said.outputs.get('modelPath'), join(folder, 'model'));
        assert.deepEqual(JSON.parse(said.attachments.get('model') ?? ''), JSON.parse(content));
        assert.match(said.summaries.get('Fetch model') ?? '', /\| Version \| 2\.0 \|/);
        assert.match(said.summaries.get('Fetch model') ?? '', /\| Changed \| the target folder held another/);
        assert.match(said.summaries.get('Fetch model') ?? '', /^\| 10\.0 \|/m);
      }));

    for (const [policy, version, expected] of [
      ['exact', '9.0', '9.0'],
      ['latestName', '', '10.0'],
      ['latestSemver', '', '10.0'],
      ['latestSemver', '^9.0', '9.0'],
      ['latestSemver', '>=9.1.0-0 <10', '9.1-beta'],
    ] as const) {
      it(`chooses ${expected} by ${policy} ${version}`, () =>
        withFolder(async (folder) => {
          const said = await fetchModel(inputs(folder, { versionPolicy: policy, version }));
          assert.equal(said.outputs.get('modelVersion'), expected);
        }));
    }

    it('chooses the version that a pointer names, as JSON or as text', () =>
      withFolder(async (folder) => {
        await publish(container, {
          'pointed/1/a': 'one',
          'pointed/2/a': 'two',
          'pointed/latest.json': '{"version": "1", "metrics": {"auc": 0.9}}',
          'pointed/production': '2\n',
          'pointed/broken.json': '{"version": ',
          'pointed/gone.txt': '3',
        });
        const choose = (pointerFile: string) =>
          inputs(folder, { model: 'pointed', versionPolicy: 'pointer', pointerFile });
        assert.equal((await fetchModel(choose(''))).outputs.get('modelVersion'), '1');
        assert.equal((await fetchModel(choose('production'))).outputs.get('modelVersion'), '2');
        assert.equal((await failureOf(choose('broken.json'))).code, 'POINTER_INVALID');
        assert.equal((await failureOf(choose('gone.txt'))).code, 'VERSION_NOT_FOUND');
        const failure = await failureOf(choose('lastest.json'));
        assert.equal(failure.code, 'POINTER_NOT_FOUND');
        assert.match(failure.text, /Nearest names: latest\.json/);
      }));

    it('takes only the files that the patterns choose', () =>
      withFolder(async (folder) => {
        await fetchModel(inputs(folder, { files: '**\n!*.onnx' }));
        assert.deepEqual(await filesBelow(join(folder, 'model')), ['meta/labels.txt', 'model.lock.json']);
      }));

    it('moves no byte in a second run of the same version, and says so', () =>
      withFolder(async (folder) => {
        const first = await fetchModel(inputs(folder));
        assert.equal(first.outputs.get('modelChanged'), 'true');
        const lock = await readFile(join(folder, 'model', 'model.lock.json'), 'utf8');
        await withFaultProxy(
          storage.blobEndpoint,
          () => undefined,
          async (proxy) => {
            const said = await fetchModel(inputs(folder, { blobEndpoint: storage.blobEndpoint }));
            assert.equal(said.outputs.get('modelChanged'), 'false');
            assert.match(said.lines.join('\n'), /no bytes moved/);
            assert.equal(proxy.bytes(), 0);
          },
        );
        assert.equal(await readFile(join(folder, 'model', 'model.lock.json'), 'utf8'), lock);
      }));

    it('brings a file again that was changed on the agent, even with the same size and time', () =>
      withFolder(async (folder) => {
        await fetchModel(inputs(folder));
        const file = join(folder, 'model', 'model.onnx');
        await writeFile(file, 'TWO');
        await utimes(file, new Date(0), new Date(0));
        const said = await fetchModel(inputs(folder));
        assert.equal(await readFile(file, 'utf8'), 'two');
        assert.match(said.lines.join('\n'), /3 B fetched, 6 B already there/);
      }));

    it('compares with what the cache remembers when the target folder is a new one', () =>
      withFolder(async (folder) => {
        const once = (target: string, more: Record<string, string> = {}) =>
          fetchModel({
            ...inputs(folder, more),
            ...{ cacheFolder: join(folder, 'cache'), targetFolder: join(folder, target) },
          });
        assert.equal((await once('a')).outputs.get('modelChanged'), 'true');
        const said = await once('b');
        assert.equal(said.outputs.get('modelChanged'), 'false');
        assert.match(said.lines.join('\n'), /Model unchanged: compared with version 2\.0 of .* cache/);
        const other = await once('a', { versionPolicy: 'exact', version: '9.0' });
        assert.equal(other.outputs.get('modelChanged'), 'true');
        const back = await once('a', { previousLock: join(folder, 'b', 'model.lock.json') });
        assert.equal(back.outputs.get('modelChanged'), 'false');
        assert.match(back.lines.join('\n'), /compared with version 2\.0 of the lock /);
      }));

    it('demands a digest before the first byte where the user does', () =>
      withFolder(async (folder) => {
        await publish(container, { 'digests/1/a': 'known' }, { sha256: sha256('known') });
        const demanded = (more: Record<string, string> = {}) =>
          inputs(folder, { model: 'digests', requireDigest: 'true', mode: 'resolve', ...more });
        assert.equal((await fetchModel(demanded())).outputs.get('modelVersion'), '1');
        await publish(container, { 'digests/1/b': 'not recorded' });
        const failure = await failureOf(demanded());
        assert.equal(failure.code, 'DIGEST_REQUIRED');
        assert.match(failure.text, /1 of 2 file\(s\).*'b'.*Nothing was transferred/s);
        const said = await fetchModel(demanded({ mode: 'download' }));
        assert.equal(said.outputs.get('modelSize'), '17', 'Content-MD5 is enough for bytes that are read');
      }));

    it("replaces another version: its files go, the user's own files stay", () =>
      withFolder(async (folder) => {
        await fetchModel(inputs(folder));
        await writeFile(join(folder, 'model', 'notes.txt'), 'mine');
        const said = await fetchModel(inputs(folder, { versionPolicy: 'exact', version: '9.0' }));
        assert.equal(said.outputs.get('modelChanged'), 'true');
        assert.deepEqual(await filesBelow(join(folder, 'model')), [
          'model.lock.json',
          'model.onnx',
          'notes.txt',
        ]);
        assert.equal(await readFile(join(folder, 'model', 'model.onnx'), 'utf8'), 'nine');
      }));

    it('in mode resolve writes only the lock, and knows the digest once the files were read', () =>
      withFolder(async (folder) => {
        const resolved = await fetchModel(inputs(folder, { mode: 'resolve' }));
        assert.deepEqual(await filesBelow(join(folder, 'model')), ['model.lock.json']);
        assert.equal(resolved.outputs.get('modelDigest'), '');
        assert.equal(resolved.outputs.get('modelPath'), '');
        assert.equal(resolved.outputs.get('modelChanged'), 'true');
        const fetched = await fetchModel(inputs(folder));
        assert.equal(fetched.outputs.get('modelChanged'), 'false');
        const again = await fetchModel(inputs(folder, { mode: 'resolve' }));
        assert.equal(again.outputs.get('modelDigest'), fetched.outputs.get('modelDigest'));
        assert.equal((await filesBelow(join(folder, 'model'))).length, 3);
      }));

    it('in mode resolve removes the files of another version, which the lock would deny', () =>
      withFolder(async (folder) => {
        await fetchModel(inputs(folder, { versionPolicy: 'exact', version: '9.0' }));
        await fetchModel(inputs(folder, { mode: 'resolve' }));
        assert.deepEqual(await filesBelow(join(folder, 'model')), ['model.lock.json']);
      }));

    it('shows the nearest names for an unknown model, version, container and file', () =>
      withFolder(async (folder) => {
        const model = await failureOf(inputs(folder, { model: 'credits' }));
        assert.equal(model.code, 'MODEL_NOT_FOUND');
        assert.match(model.text, /Nearest names: credit,/);
        const version = await failureOf(inputs(folder, { versionPolicy: 'exact', version: '9.9' }));
        assert.equal(version.code, 'VERSION_NOT_FOUND');
        assert.match(version.text, /Nearest names: 9\.0,/);
        const range = await failureOf(inputs(folder, { versionPolicy: 'latestSemver', version: '^7' }));
        assert.equal(range.code, 'VERSION_NOT_FOUND');
        const files = await failureOf(inputs(folder, { files: 'model.onx' }));
        assert.equal(files.code, 'FILES_NOT_FOUND');
        assert.match(files.text, /Nearest names: model\.onnx/);
        const name = container.containerName.replace('models', 'model');
        const missing = await failureOf(inputs(folder, { container: name }));
        assert.equal(missing.code, 'CONTAINER_NOT_FOUND');
        assert.match(missing.text, new RegExp(container.containerName));
        assert.deepEqual(await filesBelow(join(folder, 'model')), []);
      }));

    it('keeps the folder as it was when the digest is not the expected one', () =>
      withFolder(async (folder) => {
        const first = await fetchModel(inputs(folder));
        const expectedDigest = first.outputs.get('modelDigest') ?? '';
        const before = await filesBelow(join(folder, 'model'));
        const failure = await failureOf(
          inputs(folder, { versionPolicy: 'exact', version: '9.0', expectedDigest }),
        );
        assert.equal(failure.code, 'DIGEST_MISMATCH');
        assert.deepEqual(await filesBelow(join(folder, 'model')), before);
        assert.equal(await readFile(join(folder, 'model', 'model.onnx'), 'utf8'), 'two');
        await fetchModel(inputs(folder, { expectedDigest }));
      }));

    it('fails when the target is a file, a file or folder is in the way, or a link leads elsewhere', () =>
      withFolder(async (folder) => {
        await writeFile(join(folder, 'model'), 'a file');
        assert.equal((await failureOf(inputs(folder))).code, 'TARGET_UNWRITABLE');
        await mkdir(join(folder, 'b', 'model.onnx'), { recursive: true });
        assert.equal(
          (await failureOf(inputs(folder, { targetFolder: join(folder, 'b') }))).code,
          'TARGET_UNWRITABLE',
        );
        await mkdir(join(folder, 'elsewhere'));
        await mkdir(join(folder, 'c'));
        await symlink(join(folder, 'elsewhere'), join(folder, 'c', 'meta'));
        assert.equal(
          (await failureOf(inputs(folder, { targetFolder: join(folder, 'c') }))).code,
          'TARGET_UNWRITABLE',
        );
        assert.deepEqual(await filesBelow(join(folder, 'elsewhere')), []);
      }));
  });

  describe('with files directly below the model', () => {
    it('takes their ETags for the version, which changes when one of them does', () =>
      withFolder(async (folder) => {
        const container = await newContainer(storage);
        await publish(container, { 'flat/a.bin': 'a', 'flat/b.bin': 'b' });
        const inputs = {
          ...keyInputs(storage, container.containerName, join(folder, 'model')),
          model: 'flat',
        };
        const first = await fetchModel(inputs);
        assert.match(first.outputs.get('modelVersion') ?? '', /^etag-[0-9a-f]{16}$/);
        const again = await fetchModel(inputs);
        assert.equal(again.outputs.get('modelChanged'), 'false');
        await publish(container, { 'flat/b.bin': 'B' });
        const changed = await fetchModel(inputs);
        assert.equal(changed.outputs.get('modelChanged'), 'true');
        assert.match(changed.lines.join('\n'), /1 B fetched, 1 B already there/);
        const version = changed.outputs.get('modelVersion') ?? '';
        const exact = await fetchModel({ ...inputs, versionPolicy: 'exact', version });
        assert.equal(exact.outputs.get('modelVersion'), version);
        const gone = await failureOf({
          ...inputs,
          versionPolicy: 'exact',
          version: first.outputs.get('modelVersion') ?? '',
        });
        assert.equal(gone.code, 'VERSION_NOT_FOUND');
      }));

    it('takes one blob of exactly that name for the model', () =>
      withFolder(async (folder) => {
        const container = await newContainer(storage);
        await publish(container, { 'one.onnx': 'one', 'one.onnx.bak': 'other' });
        const said = await fetchModel({
          ...keyInputs(storage, container.containerName, join(folder, 'model')),
          model: 'one.onnx',
        });
        assert.deepEqual(await filesBelow(join(folder, 'model')), ['model.lock.json', 'one.onnx']);
        assert.match(said.outputs.get('modelVersion') ?? '', /^0x/);
      }));
  });

  it('refuses names that would leave the target folder or clash in it', () =>
    withFolder(async (folder) => {
      for (const name of ['a:b', 'con.txt', 'dir./x']) {
        const container = await newContainer(storage);
        await publish(container, { [`m/1/${name}`]: 'x' });
        const failure = await failureOf({
          ...keyInputs(storage, container.containerName, join(folder, 'model')),
          model: 'm',
        });
        assert.equal(failure.code, 'PATH_UNSAFE', name);
      }
      const container = await newContainer(storage);
      await publish(container, { 'm/1/Model.onnx': 'x', 'm/1/model.onnx': 'y' });
      const inputs = { ...keyInputs(storage, container.containerName, join(folder, 'model')), model: 'm' };
      assert.equal((await failureOf(inputs)).code, 'PATH_UNSAFE');
      assert.deepEqual(await filesBelow(join(folder, 'model')), []);
    }));

  it('leaves versions alone that are not published whole, by a marker or a quiet period', () =>
    withFolder(async (folder) => {
      const container = await newContainer(storage);
      await publish(container, { 'm/1.0/a': 'one', 'm/1.0/_SUCCESS': '' });
      await laterSecond();
      await publish(container, { 'm/2.0/a': 'two' });
      const inputs = { ...keyInputs(storage, container.containerName, join(folder, 'model')), model: 'm' };
      for (const versionPolicy of ['latestModified', 'latestSemver', 'latestName']) {
        const said = await fetchModel({ ...inputs, versionPolicy, readyFile: '_SUCCESS' });
        assert.equal(said.outputs.get('modelVersion'), '1.0');
        assert.match(said.lines.join('\n'), /'2\.0' does not count: it has no '_SUCCESS' yet/);
        const young = await failureOf({ ...inputs, versionPolicy, quietPeriod: '3600' });
        assert.equal(young.code, 'VERSION_INCOMPLETE');
        assert.match(young.text, /'2\.0' does not count: its newest file is \d+ s old/);
      }
      const exact = { ...inputs, versionPolicy: 'exact', version: '2.0' };
      assert.equal((await failureOf({ ...exact, readyFile: '_SUCCESS' })).code, 'VERSION_INCOMPLETE');
      assert.equal((await fetchModel(exact)).outputs.get('modelVersion'), '2.0');
    }));

  it('takes from the cache what another run fetched, and fetches again what was damaged there', () =>
    withFolder(async (folder) => {
      const container = await newContainer(storage);
      await publish(container, { 'm/1/a.bin': 'content a', 'm/1/b.bin': 'content b' });
      const cacheFolder = join(folder, 'cache');
      const into = (target: string) => ({
        ...keyInputs(storage, container.containerName, join(folder, target)),
        model: 'm',
        cacheFolder,
      });
      await fetchModel(into('one'));
      const second = await fetchModel(into('two'));
      assert.match(second.lines.join('\n'), /2 file\(s\) come from the cache/);
      assert.match(second.lines.join('\n'), /no bytes moved/);
      assert.equal(await readFile(join(folder, 'two', 'a.bin'), 'utf8'), 'content a');
      const [damaged = ''] = (await filesBelow(cacheFolder)).filter((file) =>
        file.includes(sha256('content a')),
      );
      await writeFile(join(cacheFolder, damaged), 'content X');
      const third = await fetchModel(into('three'));
      assert.match(third.lines.join('\n'), /9 B fetched, 9 B already there/);
      assert.equal(await readFile(join(folder, 'three', 'a.bin'), 'utf8'), 'content a');
      assert.equal(await readFile(join(cacheFolder, damaged), 'utf8'), 'content a');
    }));

  it('warns of content that runs code, or leaves nothing of it when it is told to fail', () =>
    withFolder(async (folder) => {
      const container = await newContainer(storage);
      // pickle.dumps of an object whose __reduce__ is (eval, ('1+1',)), protocol 4.
      const evil = 'gASVHwAAAAAAAACMCGJ1aWx0aW5zlIwEZXZhbJSTlIwDMSsxlIWUUpQu';
      await publish(container, { 'm/1/model.pkl': Buffer.from(evil, 'base64') });
      const inputs = { ...keyInputs(storage, container.containerName, join(folder, 'model')), model: 'm' };
      const failure = await failureOf({ ...inputs, scan: 'fail' });
      assert.equal(failure.code, 'CONTENT_UNSAFE');
      assert.deepEqual(await filesBelow(join(folder, 'model')), []);
      const said = await fetchModel(inputs);
      assert.match(said.warnings.join(), /'model\.pkl' imports builtins\.eval when it is loaded/);
      assert.match(said.summaries.get('Fetch model') ?? '', /builtins\.eval/);
      assert.equal((await failureOf({ ...inputs, scan: 'fail' })).code, 'CONTENT_UNSAFE');
    }));

  it('finds the version among hundreds, of which it shows the newest', () =>
    withFolder(async (folder) => {
      const container = await newContainer(storage);
      const names = Array.from({ length: 400 }, (_, index) => `many/v${index >> 1}/f${index & 1}`);
      await Promise.all(names.map((name) => publish(container, { [name]: '' })));
      await laterSecond();
      await publish(container, { 'many/v77/last': 'x' });
      const said = await fetchModel({
        ...keyInputs(storage, container.containerName, join(folder, 'model')),
        model: 'many',
      });
      assert.equal(said.outputs.get('modelVersion'), 'v77');
      assert.deepEqual(await filesBelow(join(folder, 'model')), ['f0', 'f1', 'last', 'model.lock.json']);
      assert.match(said.lines.join('\n'), /and 190 more/);
    }));
});
