import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { createServer, request } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import type { MlflowEndpoint } from '../../local/lib/endpoints.ts';
import { failureOf, fetchModel, type Inputs } from '../support/fetch.ts';
import { withFolder } from '../support/folder.ts';
import { type MlflowModel, mlflowConnection, newMlflowModel } from '../support/mlflow.ts';
import { services } from '../support/services.ts';

/** The server as one whose files lie in a cloud's storage answers: whole files, another ETag for each answer. */
async function withPassingEtags<T>(upstream: string, use: (url: string) => Promise<T>): Promise<T> {
  const target = new URL(upstream);
  const server = createServer((incoming, response) => {
    const { range: _, 'if-match': __, ...headers } = incoming.headers;
    const { method, url: path } = incoming;
    const passed = request({ host: target.hostname, port: target.port, method, path, headers }, (answer) => {
      const etag = { etag: `"${randomBytes(8).toString('hex')}"` };
      response.writeHead(answer.statusCode ?? 502, { ...answer.headers, ...etag });
      answer.pipe(response);
    });
    passed.on('error', () => response.destroy());
    incoming.pipe(passed);
  });
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
  try {
    return await use(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
  } finally {
    server.closeAllConnections();
    await new Promise((ended) => server.close(ended));
  }
}

describe('FetchModel from MLflow', function () {
  this.timeout(120_000);
  /** More than one range. */
  const weights = randomBytes(20_000_000);
  let mlflow: MlflowEndpoint;
  let model: MlflowModel;

  before(async () => {
    ({ mlflow } = await services('mlflow'));
    model = await newMlflowModel(mlflow);
    await model.put('1.9.0', 'weights.bin', 'old');
    await model.put('1.10.0', 'weights.bin', weights);
    await model.put('1.10.0', 'sub/labels.txt', 'a\nb\n');
    await model.put('1.2.0', 'weights.bin', 'registered last');
    await model.alias('champion', '1.9.0');
  });

  const inputs = (targetFolder: string, more: Inputs = {}): Inputs => ({
    ...{ source: 'mlflow', modelServerConnection: 'mlflow', model: model.name, targetFolder },
    ...more,
  });
  const fetch = (given: Inputs) => fetchModel(given, undefined, [mlflowConnection(mlflow)]);
  const failure = (given: Inputs) => failureOf(given, undefined, [mlflowConnection(mlflow)]);

  it('brings the version that the policy names: by tag, by number, by alias, by time', () =>
    withFolder(async (folder) => {
      const version = async (more: Inputs): Promise<string | undefined> => {
        const { outputs } = await fetch(inputs(join(folder, 'model'), { mode: 'resolve', ...more }));
        return outputs.get('modelVersion');
      };
      const tagged = { versionTag: 'release' };
      assert.equal(await version({ ...tagged, versionPolicy: 'latestSemver' }), '1.10.0');
      assert.equal(await version({ ...tagged, versionPolicy: 'exact', version: '~1.9' }), '1.9.0');
      assert.equal(await version({ ...tagged, versionPolicy: 'pointer', pointerFile: 'champion' }), '1.9.0');
      assert.equal(await version({ versionPolicy: 'pointer', pointerFile: 'champion' }), '1');
      assert.equal(await version({ versionPolicy: 'exact', version: '2' }), '2');
      assert.equal(await version({}), '3');
    }));

  it('brings its files once, and on the next night nothing', () =>
    withFolder(async (folder) => {
      const given = inputs(join(folder, 'model'), { versionTag: 'release', versionPolicy: 'latestSemver' });
      const first = await fetch(given);
      assert.ok(weights.equals(await readFile(join(folder, 'model', 'weights.bin'))));
      assert.equal(await readFile(join(folder, 'model', 'sub', 'labels.txt'), 'utf8'), 'a\nb\n');
      const second = await fetch(given);
      assert.deepEqual(
        [first, second].map(({ outputs }) => outputs.get('modelChanged')),
        ['true', 'false'],
      );
      assert.equal(second.outputs.get('modelDigest'), first.outputs.get('modelDigest'));
    }));

  it("reads files as wholes, pinned by the registered version, where the server's ETags do not last", () =>
    withFolder((folder) =>
      withPassingEtags(mlflow.url, async (url) => {
        const given = inputs(join(folder, 'model'), {
          ...{ versionTag: 'release', versionPolicy: 'exact', version: '1.10.0' },
        });
        await fetchModel(given, undefined, [{ ...mlflowConnection(mlflow), url }]);
        assert.ok(weights.equals(await readFile(join(folder, 'model', 'weights.bin'))));
        const lock = await readFile(join(folder, 'model', 'model.lock.json'), 'utf8');
        assert.match(lock, /"etag": "version:2@\d+"/);
      }),
    ));

  it('says what is wrong: names, credentials, files that the server does not hand out', () =>
    withFolder(async (folder) => {
      const given = (more: Inputs) => inputs(join(folder, 'model'), more);
      const unknown = await failure(given({ model: `${model.name}x` }));
      assert.equal(unknown.code, 'MODEL_NOT_FOUND');
      assert.ok(unknown.text.includes(model.name), unknown.text);
      const pointer = await failure(given({ versionPolicy: 'pointer', pointerFile: 'champignon' }));
      assert.equal(pointer.code, 'POINTER_NOT_FOUND');
      assert.match(pointer.text, /Nearest names: champion/);
      const version = await failure(given({ versionPolicy: 'exact', version: '17' }));
      assert.equal(version.code, 'VERSION_NOT_FOUND');
      const stranger = mlflowConnection(mlflow, 'not-the-password');
      const refused = await failureOf(given({}), undefined, [stranger]);
      assert.equal(refused.code, 'STORAGE_FORBIDDEN');
      assert.match(refused.text, /modelServer/);
      const path = { modelServer: `${mlflow.url}/elsewhere` };
      assert.match((await failure(given(path))).code, /^MODEL_(SERVER_ANSWER_INVALID|URL_NOT_FOUND)$/);
      const direct = await newMlflowModel(mlflow);
      await direct.register('s3://datascience/credit/7');
      const away = await failure(given({ model: direct.name }));
      assert.equal(away.code, 'MLFLOW_ARTIFACTS_ELSEWHERE');
      assert.match(away.text, /'source: s3', 'bucket: datascience', and the folder 'credit\/7'/);
    }));
});
