import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { StorageEndpoint } from '../../local/lib/endpoints.ts';
import { readLock } from '../../src/model/lock.ts';
import { newContainer, publish } from '../support/blobs.ts';
import { withFaultProxy } from '../support/faultProxy.ts';
import { failureOf, fetchModel, filesBelow, type Inputs, keyInputs } from '../support/fetch.ts';
import { withFolder } from '../support/folder.ts';
import { services } from '../support/services.ts';
import { type VersionedContainer, versionedContainer } from '../support/versionedBlobs.ts';

describe('FetchModel from Azure Blob storage', () => {
  let storage: StorageEndpoint;

  before(async function () {
    this.timeout(120_000);
    ({ storage } = await services('storage'));
  });

  const inputsOf = (container: string, folder: string, more: Inputs = {}): Inputs => ({
    ...keyInputs(storage, container, join(folder, 'model')),
    model: 'm.onnx',
    ...more,
  });
  const content = (folder: string, file = 'm.onnx') => readFile(join(folder, 'model', file), 'utf8');

  it('pins versions where the account keeps them, and brings an earlier one by its id', () =>
    withFolder(async (folder) => {
      const versioned = await versionedContainer(storage);
      try {
        const inputs = sasInputs(versioned, join(folder, 'model'));
        const first = await versioned.put('m.onnx', 'the first');
        const second = await versioned.put('m.onnx', 'the second');
        const latest = await fetchModel(inputs);
        assert.equal(latest.outputs.get('modelVersion'), second);
        assert.equal((await readLock(latest.outputs.get('modelLock') ?? '')).files[0]?.versionId, second);
        assert.ok(versioned.reads.some((query) => query.get('versionid') === second));
        const exact = { ...inputs, versionPolicy: 'exact', version: first };
        assert.equal((await fetchModel(exact)).outputs.get('modelVersion'), first);
        assert.equal(await content(folder), 'the first');
        // A deleted blob keeps its versions.
        versioned.remove('m.onnx');
        assert.equal((await failureOf(inputs)).code, 'MODEL_NOT_FOUND');
        const again = { ...exact, version: second, targetFolder: join(folder, 'again') };
        assert.equal((await fetchModel(again)).outputs.get('modelVersion'), second);
      } finally {
        await versioned.close();
      }
    }));

  it('brings a snapshot, which stays what it was', () =>
    withFolder(async (folder) => {
      const container = await newContainer(storage);
      await publish(container, { 'm.onnx': 'as it was' });
      const { snapshot = '' } = await container.getBlobClient('m.onnx').createSnapshot();
      await publish(container, { 'm.onnx': 'as it is now' });
      const inputs = inputsOf(container.containerName, folder, { versionPolicy: 'exact', version: snapshot });
      const said = await fetchModel(inputs);
      assert.equal(said.outputs.get('modelVersion'), snapshot);
      assert.equal(await content(folder), 'as it was');
      assert.equal((await readLock(said.outputs.get('modelLock') ?? '')).files[0]?.snapshot, snapshot);
      const none = { ...inputs, version: '2020-01-01T00:00:00.0000000Z' };
      assert.equal((await failureOf(none)).code, 'VERSION_NOT_FOUND');
    }));

  it('counts only versions of which a blob has the index tags', () =>
    withFolder(async (folder) => {
      const container = await newContainer(storage);
      await publish(container, { 'm/1.0/a': 'one', 'm/1.0/b': 'one', 'm/2.0/a': 'two', 'm/3.0/a': 'three' });
      await container.getBlobClient('m/1.0/b').setTags({ stage: 'production', team: 'risk' });
      await container.getBlobClient('m/2.0/a').setTags({ stage: 'production' });
      await container.getBlobClient('m/3.0/a').setTags({ stage: 'test' });
      const inputs = inputsOf(container.containerName, folder, { model: 'm', versionPolicy: 'latestSemver' });
      const production = await fetchModel({ ...inputs, blobTags: 'stage=production' });
      assert.equal(production.outputs.get('modelVersion'), '2.0');
      assert.match(
        production.lines.join('\n'),
        /'3\.0' does not count: no file of it has the tags 'stage=production'/,
      );
      const both = await fetchModel({ ...inputs, blobTags: 'stage = production\nteam=risk' });
      assert.equal(both.outputs.get('modelVersion'), '1.0');
      const none = await failureOf({ ...inputs, blobTags: 'stage=retired' });
      assert.equal(none.code, 'VERSION_INCOMPLETE');
      assert.equal((await failureOf({ ...inputs, blobTags: 'production' })).code, 'INPUT_INVALID');
    }));

  it('names the right that reading tags needs', () =>
    withFolder(async (folder) => {
      const container = await newContainer(storage);
      const code = 'AuthorizationPermissionMismatch';
      const headers = { 'x-ms-error-code': code, 'content-type': 'application/xml' };
      const body = `<?xml version="1.0"?><Error><Code>${code}</Code><Message>refused</Message></Error>`;
      await withFaultProxy(
        storage.blobEndpoint,
        ({ query }) =>
          query.get('include')?.includes('tags') ? { kind: 'status', status: 403, headers, body } : undefined,
        async ({ url }) => {
          const more = { blobEndpoint: url, blobTags: 'stage=production' };
          const failure = await failureOf(inputsOf(container.containerName, folder, more));
          assert.equal(failure.code, 'STORAGE_FORBIDDEN');
          assert.match(failure.text, /Storage Blob Data Owner/);
        },
      );
    }));

  it('refuses an archived version before anything moves, unless nothing has to', () =>
    withFolder(async (folder) => {
      const container = await newContainer(storage);
      await publish(container, { 'm/1.0/a': 'cold', 'm/1.0/b': 'warm' });
      const inputs = inputsOf(container.containerName, folder, { model: 'm' });
      await fetchModel(inputs);
      await container.getBlobClient('m/1.0/a').setAccessTier('Archive');
      assert.match((await fetchModel(inputs)).lines.join('\n'), /no bytes moved/);
      await withFaultProxy(
        storage.blobEndpoint,
        () => undefined,
        async ({ url, seen }) => {
          const elsewhere = { ...inputs, blobEndpoint: url, targetFolder: join(folder, 'elsewhere') };
          const failure = await failureOf(elsewhere);
          assert.equal(failure.code, 'MODEL_ARCHIVED');
          assert.match(failure.text, /'a'.*Nothing was transferred.*Rehydrate/s);
          assert.deepEqual(
            seen.filter(({ path }) => path.includes('m/1.0/')),
            [],
          );
          assert.deepEqual(await filesBelow(join(folder, 'elsewhere')), []);
          const resolved = await fetchModel({ ...elsewhere, mode: 'resolve' });
          assert.match(resolved.warnings.join('\n'), /1 file\(s\) are in the archive tier/);
        },
      );
    }));

  it('reads accounts with a hierarchical namespace: folders are entries, and nothing may be looked for below a file', () =>
    withFolder(async (folder) => {
      const container = await newContainer(storage);
      await publish(container, { m: '', 'm/1.0': '', 'm/1.0/sub': '' }, { hdi_isfolder: 'true' });
      await publish(container, { 'm/1.0/sub/a': 'deep', 'm.onnx': 'one file' });
      const below = {
        kind: 'status',
        status: 409,
        headers: { 'x-ms-error-code': 'ResourceTypeMismatch' },
      } as const;
      await withFaultProxy(
        storage.blobEndpoint,
        ({ query }) => (query.get('prefix') === 'm.onnx/' ? below : undefined),
        async ({ url }) => {
          const inputs = inputsOf(container.containerName, folder, { blobEndpoint: url });
          await fetchModel({ ...inputs, model: 'm' });
          assert.deepEqual(await filesBelow(join(folder, 'model')), ['model.lock.json', 'sub/a']);
          await fetchModel(inputs);
          assert.equal(await content(folder), 'one file');
        },
      );
    }));
});

function sasInputs({ location }: VersionedContainer, targetFolder: string): Inputs {
  const { credential, endpoint, container } = location;
  assert.equal(credential.kind, 'sas');
  return {
    ...{ authentication: 'sas', sasToken: credential.token, blobEndpoint: endpoint, container },
    ...{ model: 'm.onnx', targetFolder },
  };
}
