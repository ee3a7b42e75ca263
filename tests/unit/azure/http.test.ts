import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createSend } from '../../../src/azure/http.ts';

describe('a request to a service of Azure', () => {
  /** How often a service is asked that answers with these statuses, then 200. */
  const asked = async (once: boolean, ...statuses: number[]): Promise<[number, number]> => {
    let count = 0;
    const server = createServer((_request, response) => {
      response.writeHead(statuses[count] ?? 200, { 'retry-after': '0' });
      count += 1;
      response.end('{}');
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    try {
      const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
      const signal = new AbortController().signal;
      const { status } = await createSend({})({ method: 'POST', url, body: '{}', once }, signal);
      return [status, count];
    } finally {
      server.close();
    }
  };

  it('is sent again after a passing failure', async () => {
    assert.deepEqual(await asked(false, 502, 503), [200, 3]);
  });

  it('that starts something is sent again only where it was not taken', async () => {
    assert.deepEqual(await asked(true, 429), [200, 2]);
    assert.deepEqual(await asked(true, 502), [502, 1]);
  });

  it('tells a wait that a service asks for, and not one of a moment', async () => {
    const lines: string[] = [];
    let asks: readonly string[] = ['1', '0'];
    const server = createServer((_request, response) => {
      const [wait, ...rest] = asks;
      asks = rest;
      response.writeHead(wait === undefined ? 200 : 429, { 'retry-after': wait ?? '' }).end('{}');
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    try {
      const { port } = server.address() as AddressInfo;
      const send = createSend({}, { info: (text) => void lines.push(text) });
      const answer = await send(
        { method: 'GET', url: `http://127.0.0.1:${port}/` },
        AbortSignal.timeout(30_000),
      );
      assert.equal(answer.status, 200);
      const why = 'takes no more requests for now (HTTP 429)';
      assert.deepEqual(lines, [`127.0.0.1:${port} ${why}: next attempt in 1.0 s`]);
    } finally {
      server.close();
    }
  });
});
