import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { createServer, type IncomingMessage, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { requireNoDowngrade } from '../../src/model/http/client.ts';
import { checkedUrl, type HttpCredentials } from '../../src/model/http/location.ts';
import { openHttpStore } from '../../src/model/http/store.ts';
import { isOverload, type ModelStore, retryAfter, type StoredFile } from '../../src/model/store.ts';
import { fetchModel } from '../support/fetch.ts';
import { withFolder } from '../support/folder.ts';
import { type Nginx, startNginx } from '../support/nginx.ts';

const { signal } = new AbortController();
const bytes = randomBytes(300_000);

async function listed(store: ModelStore, prefix = ''): Promise<StoredFile[]> {
  const files: StoredFile[] = [];
  for await (const file of store.list(prefix, signal)) files.push(file);
  return files;
}

async function first(store: ModelStore): Promise<StoredFile> {
  const [file] = await listed(store);
  assert.ok(file);
  return file;
}

async function content(store: ModelStore, file: StoredFile, offset = 0, length?: number): Promise<Buffer> {
  const pieces: Uint8Array[] = [];
  const range = length === undefined ? {} : { length };
  for await (const piece of await store.read(file, { signal, offset, ...range })) pieces.push(piece);
  return Buffer.concat(pieces);
}

/** A server for what no ordinary one does. */
async function withServer<T>(
  handle: RequestListener,
  use: (url: string, seen: IncomingMessage[]) => Promise<T>,
): Promise<T> {
  const seen: IncomingMessage[] = [];
  const server = createServer((request, response) => {
    seen.push(request);
    handle(request, response);
  });
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
  try {
    return await use(`http://127.0.0.1:${(server.address() as AddressInfo).port}`, seen);
  } finally {
    server.closeAllConnections();
    await new Promise((done) => server.close(done));
  }
}

const open = (url: string, credentials?: HttpCredentials): ModelStore =>
  openHttpStore({ url, model: 'credit', ...(credentials && { credentials }) });

describe('a model on a web server', function () {
  this.timeout(120_000);
  let nginx: Nginx;

  before(async () => {
    nginx = await startNginx('location /away { return 302 /credit.bin; }');
    await nginx.put('credit.bin', bytes);
    await nginx.put('model.json', '{"learner": {}}');
  });
  after(() => nginx.close());

  it('is one file where the address names one, also through a redirect', async () => {
    for (const [address, name] of [
      ['/credit.bin', 'credit/credit.bin'],
      ['/away', 'credit/away'],
      ['/model.json', 'credit/model.json'],
    ] as const) {
      const store = open(nginx.url + address);
      assert.deepEqual(
        (await listed(store)).map((file) => file.name),
        [name],
      );
    }
    const store = open(`${nginx.url}/away`);
    assert.ok(bytes.subarray(5, 10).equals(await content(store, await first(store), 5, 5)));
  });

  it('has the versions that an index names, with their digests and relative addresses', async () => {
    await nginx.put('v/1.9.0/m.bin', 'old');
    await nginx.put('v/1.10.0/m.bin', bytes);
    const sha256 = createHash('sha256').update(bytes).digest('hex');
    const versions = [
      { version: '1.9.0', files: [{ path: 'm.bin', url: '1.9.0/m.bin' }] },
      { version: '1.10.0', files: [{ path: 'm.bin', url: '1.10.0/m.bin', size: bytes.length, sha256 }] },
    ];
    await nginx.put('v/index.json', JSON.stringify({ versions }));
    const store = open(`${nginx.url}/v/index.json`);
    assert.deepEqual(await store.children('credit/', signal), ['1.10.0/', '1.9.0/']);
    const [file] = await listed(store, 'credit/1.10.0/');
    assert.deepEqual([file?.name, file?.sha256], ['credit/1.10.0/m.bin', sha256]);
  });

  it('is refused when the index is wrong, with the place', async () => {
    const wrong = async (index: unknown, place: RegExp): Promise<void> => {
      await nginx.put('wrong.json', JSON.stringify(index));
      await assert.rejects(listed(open(`${nginx.url}/wrong.json`)), (error: Error & { code?: string }) => {
        assert.equal(error.code, 'MODEL_INDEX_INVALID');
        assert.match(error.message, place);
        return true;
      });
    };
    await wrong({ versions: [{ files: [] }] }, /index\.versions\[0\]\.version/);
    await wrong({ versions: [{ version: '1', files: [{ path: 'a' }] }] }, /files\[0\]\.url/);
    await wrong({ files: [{ path: 'a', url: 'a', sha256: 'ff' }] }, /files\[0\]\.sha256/);
    await wrong({ files: [{ path: 'a', url: 'credit.bin', size: 1 }] }, /1 bytes.*300000/);
  });

  it('is told as missing by its address', async () => {
    await assert.rejects(
      listed(open(`${nginx.url}/none.bin?sig=geheim`)),
      (error: Error & { code?: string }) => {
        assert.equal(error.code, 'MODEL_URL_NOT_FOUND');
        assert.ok(!error.message.includes('geheim'));
        return true;
      },
    );
  });

  it('keeps the name and password from every other origin', async () => {
    await withServer(
      (_, response) => response.setHeader('etag', '"1"').end('model'),
      async (other, otherSeen) => {
        await withServer(
          (request, response) => {
            if (request.headers.authorization === undefined) response.writeHead(401).end();
            else response.writeHead(302, { location: `${other}/m.bin` }).end();
          },
          async (url) => {
            const store = open(`${url}/m.bin?sig=geheim`, { username: 'reader', password: 'p' });
            assert.equal(String(await content(store, await first(store))), 'model');
            assert.ok(otherSeen.length > 0);
            for (const request of otherSeen) {
              assert.ok(!JSON.stringify([request.url, request.headers]).includes('geheim'));
              assert.equal(request.headers.authorization, undefined);
            }
            await assert.rejects(listed(open(`${url}/m.bin`)), { code: 'STORAGE_FORBIDDEN' });
          },
        );
      },
    );
  });

  it('never leads from https to http', () => {
    const from = new URL('https://models.example.com/index.json');
    requireNoDowngrade(from, new URL('https://cdn.example.com/m.bin'));
    assert.throws(() => requireNoDowngrade(from, new URL('http://models.example.com/m.bin')), {
      code: 'STORAGE_REDIRECT_UNSAFE',
    });
  });

  it('is refused when its address carries a password', () => {
    assert.throws(() => checkedUrl('https://user:geheim@models.example.com/m.bin'), {
      code: 'INPUT_INVALID',
    });
    assert.throws(() => checkedUrl('ftp://models.example.com/m.bin'), { code: 'INPUT_INVALID' });
  });

  for (const [what, headers, changed] of [
    ['a weak ETag', { etag: 'W/"1"' }, { etag: 'W/"2"' }],
    [
      'Last-Modified alone',
      { 'last-modified': 'Sun, 22 Nov 2026 10:00:00 GMT' },
      { 'last-modified': 'Sun, 22 Nov 2026 10:00:01 GMT' },
    ],
  ] as const) {
    it(`is read as a whole and compared where the server has ${what}`, async () => {
      let present: Record<string, string> = headers;
      await withServer(
        (_, response) => response.writeHead(200, { ...present, 'content-length': bytes.length }).end(bytes),
        async (url) => {
          const store = open(`${url}/m.bin`);
          const file = await first(store);
          assert.equal(file.whole, true);
          assert.ok(bytes.subarray(1000, 3000).equals(await content(store, file, 1000, 2000)));
          present = changed;
          await assert.rejects(content(store, file), { code: 'MODEL_CHANGED' });
          present = {};
          await assert.rejects(listed(store), { code: 'MODEL_UNPINNABLE' });
        },
      );
    });
  }

  it('comes in one request where parts cannot be had, and begins anew when that breaks', () =>
    withFolder(async (folder) => {
      const large = randomBytes(20_000_000);
      let bodies = 0;
      await withServer(
        (request, response) => {
          response.writeHead(200, { etag: 'W/"1"', 'content-length': large.length });
          // The probe asks for the first byte.
          if (request.headers.range !== undefined) return void response.end(large);
          bodies += 1;
          // The first is the look whether the address gives an index; the second breaks.
          if (bodies !== 2) return void response.end(large);
          response.write(large.subarray(0, 9_000_000), () =>
            setTimeout(() => response.socket?.resetAndDestroy(), 50),
          );
        },
        async (url) => {
          const target = join(folder, 'model');
          await fetchModel({ source: 'http', url: `${url}/m.bin`, model: 'credit', targetFolder: target });
          assert.ok(large.equals(await readFile(join(target, 'm.bin'))));
          assert.ok(bodies <= 4, `${bodies} bodies`);
        },
      );
    }));

  it('is not believed when the server ignores the condition or answers with another part', async () => {
    let etag = '"1"';
    let range = `bytes 0-4/${bytes.length}`;
    await withServer(
      (_, response) => response.writeHead(206, { etag, 'content-range': range }).end('bytes'),
      async (url) => {
        const store = open(`${url}/m.bin`);
        const file = await first(store);
        await assert.rejects(content(store, file, 100, 5), { code: 'MODEL_CHANGED' });
        [etag, range] = ['"2"', `bytes 100-104/${bytes.length}`];
        await assert.rejects(content(store, file, 100, 5), { code: 'MODEL_CHANGED' });
      },
    );
  });

  it('is waited for as long as an overloaded server asks', async () => {
    let busy = false;
    await withServer(
      (_, response) => {
        if (busy) response.writeHead(503, { 'retry-after': '7' }).end();
        else response.setHeader('etag', '"1"').end('model');
      },
      async (url) => {
        const store = open(`${url}/m.bin`);
        const file = await first(store);
        busy = true;
        await assert.rejects(
          content(store, file),
          (error) => isOverload(error) && retryAfter(error) === 7000,
        );
      },
    );
  });

  it('tells a broken body and an unreachable server apart', async () => {
    let whole = true;
    let url = '';
    await withServer(
      (_, response) => {
        response.writeHead(200, { etag: '"1"', 'content-length': 10 });
        if (whole) response.end('0123456789');
        else response.write('01234', () => response.socket?.resetAndDestroy());
      },
      async (address) => {
        url = address;
        const store = open(`${url}/m.bin`);
        const file = await first(store);
        whole = false;
        await assert.rejects(content(store, file), { code: 'STORAGE_INTERRUPTED' });
      },
    );
    const read = open(`${url}/m.bin`).read(
      { name: 'credit/m.bin', size: 1, etag: '"1"' },
      { signal: AbortSignal.timeout(20_000) },
    );
    await assert.rejects(read, { code: 'STORAGE_UNREACHABLE' });
  });
});
