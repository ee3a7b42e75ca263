import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { openHuggingFaceStore } from '../../../src/model/huggingFace/store.ts';
import { openMlflowStore } from '../../../src/model/mlflow/store.ts';
import type { ModelStore, StoredFile } from '../../../src/model/store.ts';

type Answer = (request: IncomingMessage, response: ServerResponse, url: URL) => void;

async function withServer(answer: Answer, use: (url: string) => Promise<void>): Promise<void> {
  const server = createServer((request, response) =>
    answer(request, response, new URL(request.url ?? '/', 'http://server')),
  );
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
  try {
    await use(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
  } finally {
    server.closeAllConnections();
    await new Promise((ended) => server.close(ended));
  }
}

function json(response: ServerResponse, value: unknown, status = 200, headers = {}): void {
  response.writeHead(status, { 'content-type': 'application/json', ...headers });
  response.end(JSON.stringify(value));
}

const { signal } = new AbortController();

async function filesIn(store: ModelStore, prefix: string): Promise<StoredFile[]> {
  const files: StoredFile[] = [];
  for await (const file of store.list(prefix, signal)) files.push(file);
  return files;
}

const invalid = { code: 'MODEL_SERVER_ANSWER_INVALID' };

describe('A hub that answers wrongly', () => {
  const content = randomBytes(5000);
  const oid = createHash('sha1').update(`blob ${content.length}\0`).update(content).digest('hex');
  const entry = { type: 'file', path: 'a.txt', size: content.length, oid };

  const withHub = (tree: Answer, use: (store: ModelStore) => Promise<void>): Promise<void> =>
    withServer(
      (request, response, url) => {
        if (url.pathname.includes('/tree/')) tree(request, response, url);
        else if (url.pathname.includes('/resolve/')) {
          const wrong = Buffer.from(content);
          wrong.writeUInt8(wrong.readUInt8(0) ^ 1, 0);
          response.writeHead(200, { 'content-length': wrong.length }).end(wrong);
        } else json(response, { sha: 'a'.repeat(40), lastModified: '2026-01-01T00:00:00Z' });
      },
      (url) => use(openHuggingFaceStore({ url, model: 'o/m' })),
    );

  for (const [what, entries, link] of [
    ['whose further files lie on another server', [entry], '<https://hub.example/next>; rel="next"'],
    ['whose list never ends', [entry], '</api/models/o/m/tree/x?cursor=1>; rel="next"'],
    ['that tells no size', [{ ...entry, size: undefined }], ''],
  ] as const) {
    it(`${what} gives no part of a version`, () =>
      withHub(
        (_request, response) => json(response, entries, 200, link === '' ? {} : { link }),
        (store) => assert.rejects(filesIn(store, 'o/m/v1/'), invalid),
      ));
  }

  it('is found out by the git object, whatever part of a small file is read', () =>
    withHub(
      (_request, response) => json(response, [entry]),
      async (store) => {
        const [file] = await filesIn(store, 'o/m/v1/');
        assert.ok(file);
        const parts: Uint8Array[] = [];
        const read = async (): Promise<void> => {
          for await (const piece of await store.read(file, { offset: 1000, length: 10, signal }))
            parts.push(piece);
        };
        await assert.rejects(read(), { code: 'MODEL_CORRUPT' });
        assert.deepEqual(Buffer.concat(parts), content.subarray(1000, 1010));
      },
    ));
});

describe('An MLflow server that answers wrongly', () => {
  const withMlflow = (uri: string, use: (store: ModelStore) => Promise<void>): Promise<void> =>
    withServer(
      (_request, response, url) => {
        const versions = [{ version: '1', creation_timestamp: 'soon', status: 'READY' }];
        if (url.pathname.endsWith('model-versions/search')) json(response, { model_versions: versions });
        else if (url.pathname.endsWith('get-download-uri')) json(response, { artifact_uri: uri });
        else if (url.searchParams.get('path') === 'm/1') {
          json(response, { files: [{ path: 'data', is_dir: true }] });
        } else json(response, { error_code: 'RESOURCE_DOES_NOT_EXIST' }, 404);
      },
      (url) => use(openMlflowStore({ url })),
    );

  it('about a folder that it has listed gives no part of a version', () =>
    withMlflow('mlflow-artifacts:/m/1', (store) => assert.rejects(filesIn(store, 'm/1/'), invalid)));

  it('with a place that leads upwards, or cannot be read, is told where the files would be', async () => {
    for (const uri of ['mlflow-artifacts:/m/%2e%2e%2f..%2Fother', 'mlflow-artifacts:/m/%zz']) {
      await withMlflow(uri, (store) =>
        assert.rejects(filesIn(store, 'm/1/'), { code: 'MLFLOW_ARTIFACTS_ELSEWHERE' }),
      );
    }
  });

  it('with a password in a place is not quoted', () =>
    withMlflow('ftp://user:s3cr3tpassword@host/x', (store) =>
      assert.rejects(filesIn(store, 'm/1/'), (error: Error) => {
        assert.match(error.message, /ftp:\/\/host\/x/);
        assert.doesNotMatch(error.message, /s3cr3t/);
        return true;
      }),
    ));
});
