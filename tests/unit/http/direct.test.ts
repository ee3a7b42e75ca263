import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import fc from 'fast-check';
import { createDirectClient, type DirectClient } from '../../../src/http/direct/client.ts';
import { UnsuitableAnswer } from '../../../src/http/direct/connection.ts';
import { parseHead, plainLength } from '../../../src/http/direct/head.ts';

type Answer = (socket: Socket, request: string, connection: number) => void | Promise<void>;

/** A server that writes answers byte by byte as the test wants them, and a client. */
async function withServer(
  answer: Answer,
  use: (url: string, client: DirectClient) => Promise<void>,
  stallMs = 5000,
): Promise<void> {
  let connections = 0;
  const sockets = new Set<Socket>();
  const server = createServer({ noDelay: true }, (socket) => {
    const connection = ++connections;
    sockets.add(socket.on('error', () => undefined));
    socket.on('data', (bytes) => void answer(socket, bytes.toString(), connection));
  });
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
  const client = createDirectClient({ stallMs });
  try {
    await use(`http://127.0.0.1:${(server.address() as AddressInfo).port}/f?sig=a%2Fb`, client);
  } finally {
    client.close();
    for (const socket of sockets) socket.destroy();
    await new Promise((done) => server.close(done));
  }
}

const { signal } = new AbortController();

async function get(client: DirectClient, url: string, headers = {}): Promise<string> {
  const pieces: Buffer[] = [];
  const taker = { wants: () => true, body: (bytes: Buffer) => void pieces.push(Buffer.from(bytes)) };
  await client.get({ url, headers }, taker, signal);
  return Buffer.concat(pieces).toString('latin1');
}

const plain = (body: string, more = ''): string =>
  `HTTP/1.1 200 OK\r\nContent-Length: ${body.length}\r\n${more}\r\n${body}`;

describe('a direct GET', () => {
  it('asks as it was told, and gives the body, however it was cut on its way', async () => {
    const body = randomBytes(500).toString('latin1');
    const whole = `HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n${plain(body)}`;
    let cuts: readonly number[] = [];
    const requests: string[] = [];
    const answer: Answer = async (socket, request) => {
      requests.push(request);
      const ends = [...cuts].sort((a, b) => a - b);
      for (const [at, end] of [...ends, whole.length].entries()) {
        socket.write(whole.slice(ends[at - 1] ?? 0, end), 'latin1');
        await sleep(1);
      }
    };
    await withServer(answer, async (url, client) => {
      const places = fc.array(fc.integer({ min: 0, max: whole.length }), { maxLength: 4 });
      const property = fc.asyncProperty(places, async (chosen) => {
        cuts = chosen;
        assert.equal(await get(client, url, { range: 'bytes=0-9' }), body);
      });
      await fc.assert(property, { numRuns: 30 });
    });
    assert.match(
      requests[0] ?? '',
      /^GET \/f\?sig=a%2Fb HTTP\/1\.1\r\nhost: 127\.0\.0\.1:\d+\r\n[\s\S]*\r\nrange: bytes=0-9\r\n\r\n$/,
    );
  });

  it('uses a connection again, unless the server ends it', async () => {
    const used: number[] = [];
    const answer: Answer = (socket, _, connection) => {
      used.push(connection);
      socket.write(plain('x', used.length === 2 ? 'Connection: close\r\n' : ''));
    };
    await withServer(answer, async (url, client) => {
      for (let count = 0; count < 4; count += 1) await get(client, url);
    });
    assert.deepEqual(used, [1, 1, 2, 2]);
  });

  it('asks again by itself where the server closed a kept connection', async () => {
    const answer: Answer = (socket, _, connection) => {
      if (connection === 1 && socket.bytesWritten > 0) socket.destroy();
      else socket.write(plain(`${connection}`));
    };
    await withServer(answer, async (url, client) => {
      assert.deepEqual([await get(client, url), await get(client, url)], ['1', '2']);
    });
  });

  const failures: readonly (readonly [string, string, RegExp])[] = [
    ['a body that ends early', 'HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nshort', /closed the connection/],
    ['more bytes than were said', 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nlong', /more than it said/],
    ['no answer at all', '', /closed the connection/],
    ['a body without length', 'HTTP/1.1 200 OK\r\n\r\nx', /HTTP 200/],
    ['a divided body', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n', /HTTP 200/],
    ['a packed body', 'HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 1\r\n\r\nx', /HTTP 200/],
    ['two lengths', 'HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nx', /HTTP 200/],
    ['another protocol', 'SSH-2.0-x\r\n\r\n', /not an answer of HTTP/],
    ['a folded header', 'HTTP/1.1 200 OK\r\nA: b\r\n Content-Length: 1\r\n\r\nx', /not an answer of HTTP/],
    ['endless headers', `HTTP/1.1 200 OK\r\nA: ${'b'.repeat(70_000)}`, /not an answer of HTTP/],
  ];
  for (const [what, text, message] of failures) {
    it(`fails for ${what}`, () =>
      withServer(
        (socket) => void socket.end(text),
        (url, client) => assert.rejects(get(client, url), message),
      ));
  }

  it('leaves an answer that is not wanted, and says which it was', () =>
    withServer(
      (socket) => void socket.write('HTTP/1.1 503 Busy\r\nRetry-After: 7\r\nContent-Length: 4\r\n\r\nbusy'),
      async (url, client) => {
        const taker = { wants: () => false, body: () => assert.fail('nothing was wanted') };
        const failure = await client
          .get({ url, headers: {} }, taker, signal)
          .catch((error: unknown) => error);
        assert.ok(failure instanceof UnsuitableAnswer);
        assert.equal(failure.head?.headers.get('retry-after'), '7');
      },
    ));

  it('gives a silent connection up', () =>
    withServer(
      (socket) => void socket.write('HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nsome'),
      (url, client) => assert.rejects(get(client, url), /no byte came for 0\.1 s/),
      100,
    ));

  it('ends at once when it is cancelled', () =>
    withServer(
      () => undefined,
      async (url, client) => {
        const stop = new AbortController();
        const taker = { wants: () => true, body: () => undefined };
        const asked = client.get({ url, headers: {} }, taker, stop.signal);
        setTimeout(() => stop.abort(), 20);
        await assert.rejects(asked, /cancelled/);
      },
    ));

  it('ends with what the taker throws', () =>
    withServer(
      (socket) => void socket.write(plain('x')),
      async (url, client) => {
        const body = (): void => {
          throw new Error('the disk is full');
        };
        await assert.rejects(
          client.get({ url, headers: {} }, { wants: () => true, body }, signal),
          /is full/,
        );
      },
    ));

  it('refuses a header that would become two', () =>
    withServer(
      () => assert.fail('nothing may be sent'),
      (url, client) => assert.rejects(get(client, url, { 'if-match': '"a"\r\nx: y' }), TypeError),
    ));
});

describe('the head of an answer', () => {
  it('is read whatever the case of its names', () => {
    const head = parseHead('HTTP/1.1 206 Partial Content\r\nCONTENT-length:  12 \r\netag: "a"');
    assert.deepEqual([head?.status, head?.headers.get('etag')], [206, '"a"']);
    assert.equal(head && plainLength(head), 12);
  });

  it('never makes the reader fail otherwise than by saying so', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 200 }), (text) => {
        const head = parseHead(`HTTP/1.1 200 OK\r\n${text}`);
        assert.ok(head === undefined || head.status === 200);
      }),
    );
  });
});
