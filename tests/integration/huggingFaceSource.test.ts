import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { ServiceConnection } from '../../src/host/host.ts';
import { openHuggingFaceStore } from '../../src/model/huggingFace/store.ts';
import { parseLock } from '../../src/model/lock.ts';
import type { StoredFile } from '../../src/model/store.ts';
import { withFaultProxy } from '../support/faultProxy.ts';
import { failureOf, fetchModel, filesBelow, type Inputs } from '../support/fetch.ts';
import { withFolder } from '../support/folder.ts';
import { type Hub, startHub } from '../support/hub/hub.ts';
import type { HubRepository } from '../support/hub/repositories.ts';

describe('FetchModel from a Hugging Face hub', function () {
  this.timeout(60_000);
  /** More than one range. */
  const weights = randomBytes(20_000_000);
  let hub: Hub;
  let credit: HubRepository;

  before(async () => {
    hub = await startHub();
    credit = hub.model('risk/credit', 'private');
    await credit.put('main', 'weights.bin', 'old', 'branch');
    await credit.put('v1.9', 'weights.bin', 'older');
    await credit.put('v1.10', 'weights.bin', weights);
    await credit.put('v1.10', 'sub/labels.txt', 'a\nb\n');
    await credit.put('main', 'weights.bin', 'newest', 'branch');
    await hub.model('risk/gated', 'gated').put('main', 'weights.bin', weights, 'branch');
  });
  after(() => hub.close());

  const connection = (password = hub.token): ServiceConnection => {
    const parameters = { username: '', password };
    return { id: 'hub', url: hub.url, scheme: 'UsernamePassword', parameters, data: {} };
  };
  const inputs = (targetFolder: string, more: Inputs = {}): Inputs => ({
    ...{ source: 'huggingFace', modelServerConnection: 'hub', model: 'risk/credit', targetFolder },
    ...more,
  });
  const fetch = (given: Inputs) => fetchModel(given, undefined, [connection()]);
  const failure = (given: Inputs) => failureOf(given, undefined, [connection()]);

  it('brings the revision that the policy names: by tag, by time, by branch, by commit', () =>
    withFolder(async (folder) => {
      const version = async (more: Inputs): Promise<string | undefined> => {
        const { outputs } = await fetch(inputs(join(folder, 'model'), { mode: 'resolve', ...more }));
        return outputs.get('modelVersion');
      };
      assert.equal(await version({ versionPolicy: 'latestSemver' }), 'v1.10');
      assert.equal(await version({ versionPolicy: 'latestName' }), 'v1.10');
      assert.equal(await version({ versionPolicy: 'exact', version: 'v1.9' }), 'v1.9');
      assert.equal(await version({}), 'main');
      const commit = credit.commit('main')?.id;
      assert.equal(await version({ versionPolicy: 'pointer', pointerFile: 'main' }), commit);
      assert.equal(await version({ versionPolicy: 'exact', version: String(commit) }), commit);
    }));

  it('brings its files once, pinned by the commit, verified, the token for the hub alone', () =>
    withFolder(async (folder) => {
      const given = inputs(join(folder, 'model'), { versionPolicy: 'latestSemver', requireDigest: 'true' });
      const first = await fetch(given);
      const second = await fetch(given);
      assert.ok(weights.equals(await readFile(join(folder, 'model', 'weights.bin'))));
      assert.equal(await readFile(join(folder, 'model', 'sub', 'labels.txt'), 'utf8'), 'a\nb\n');
      assert.deepEqual(
        [first, second].map(({ outputs }) => outputs.get('modelChanged')),
        ['true', 'false'],
      );
      const lock = parseLock(await readFile(join(folder, 'model', 'model.lock.json'), 'utf8'));
      assert.equal(lock?.source.url, `${hub.url}/risk/credit`);
      const commit = credit.commit('v1.10')?.id;
      assert.deepEqual([...new Set(lock.files.map(({ versionId }) => versionId))], [commit]);
      assert.ok(first.secrets.includes(hub.token));
      assert.ok(!JSON.stringify(lock).includes(hub.token));
    }));

  it('knows the whole digest before a large file moves', () =>
    withFolder(async (folder) => {
      const given = { versionPolicy: 'latestSemver', requireDigest: 'true', mode: 'resolve' };
      const { outputs } = await fetch(inputs(join(folder, 'model'), given));
      assert.match(outputs.get('modelDigest') ?? '', /^sha256:[0-9a-f]{64}$/);
    }));

  it('gets the right bytes in spite of broken answers of the storage and of a hub that asks for patience', () =>
    withFolder(async (folder) => {
      let faults = 3;
      await withFaultProxy(
        hub.storage,
        () => (faults-- > 0 ? { kind: 'reset', afterBytes: 400_000 } : undefined),
        async ({ url }) => {
          hub.redirectTo(url);
          hub.throttle(2);
          await fetch(inputs(join(folder, 'model'), { versionPolicy: 'latestSemver' }));
          assert.ok(weights.equals(await readFile(join(folder, 'model', 'weights.bin'))));
        },
      ).finally(() => hub.redirectTo(hub.storage));
    }));

  it('never accepts a wrong bit, in large files nor in small ones', () =>
    withFolder(async (folder) => {
      const given = (more: Inputs) =>
        inputs(join(folder, 'model'), { versionPolicy: 'latestSemver', ...more });
      const wrong = () => ({ kind: 'flip', at: 1 }) as const;
      await withFaultProxy(hub.storage, wrong, async ({ url }) => {
        hub.redirectTo(url);
        assert.equal((await failure(given({ files: '*.bin' }))).code, 'MODEL_CORRUPT');
      }).finally(() => hub.redirectTo(hub.storage));
      const inText = ({ path }: { readonly path: string }) => (path.endsWith('.txt') ? wrong() : undefined);
      await withFaultProxy(hub.url, inText, async ({ url }) => {
        const small = given({ files: '**/*.txt' });
        const { code } = await failureOf(small, undefined, [{ ...connection(), url }]);
        assert.equal(code, 'MODEL_CORRUPT');
      });
      const left = await filesBelow(join(folder, 'model'));
      assert.deepEqual(
        left.filter((path) => !/\.partial$|^\.model-delivery/.test(path)),
        [],
      );
    }));

  it('says what is wrong: names, tokens, a restricted model', () =>
    withFolder(async (folder) => {
      const given = (more: Inputs) => inputs(join(folder, 'model'), more);
      const unknown = await failure(given({ model: 'risk/credits' }));
      assert.equal(unknown.code, 'MODEL_NOT_FOUND');
      assert.match(unknown.text, /Nearest names: risk\/credit/);
      const version = await failure(given({ versionPolicy: 'exact', version: 'v1.8' }));
      assert.equal(version.code, 'VERSION_NOT_FOUND');
      assert.match(version.text, /v1\.9/);
      const gated = await failure(given({ model: 'risk/gated' }));
      assert.equal(gated.code, 'MODEL_GATED');
      assert.match(gated.text, /not in the authorized list/);
      const wrong = await failureOf(given({}), undefined, [connection('hf_wrong')]);
      assert.equal(wrong.code, 'STORAGE_FORBIDDEN');
      assert.match(wrong.text, /access token of the service connection/);
      const { modelServerConnection: _, ...open } = given({ modelServer: hub.url });
      const stranger = await failureOf(open);
      assert.equal(stranger.code, 'STORAGE_FORBIDDEN');
      assert.match(stranger.text, /If the model is private/);
    }));

  it('tells the SHA-256 of a small file only after a comparison with its git object', async () => {
    const store = openHuggingFaceStore({
      ...{ url: hub.url, authorization: `Bearer ${hub.token}` },
      model: 'risk/credit',
    });
    const { signal } = new AbortController();
    const files: StoredFile[] = [];
    for await (const file of store.list('risk/credit/v1.10/sub/', signal)) files.push(file);
    const [labels] = files;
    assert.ok(labels);
    const sha256 = createHash('sha256').update('a\nb\n').digest('hex');
    assert.deepEqual(await store.digests?.(labels, signal), { sha256 });
    const other = { ...labels, etag: `git:${'0'.repeat(40)}` };
    await assert.rejects(async () => store.digests?.(other, signal), { code: 'MODEL_CORRUPT' });
  });
});
