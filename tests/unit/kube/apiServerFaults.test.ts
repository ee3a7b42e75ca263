import assert from 'node:assert/strict';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createClient } from '../../../src/kube/api/apiClient.ts';
import type { KubeClient } from '../../../src/kube/api/client.ts';
import { createTransport } from '../../../src/kube/api/transport.ts';
import { watchUntil } from '../../../src/kube/api/watchUntil.ts';

const pods = { apiVersion: 'v1', kind: 'Pod', namespace: 'shop' };
const pod = { metadata: { name: 'web', namespace: 'shop', uid: '1', resourceVersion: '7' } };

/** An API server that answers as told, and a client of it whose token changes with every request. */
async function withServer(
  answer: (request: IncomingMessage, response: ServerResponse, count: number) => void,
  use: (client: KubeClient, seen: readonly IncomingMessage[]) => Promise<void>,
): Promise<void> {
  const seen: IncomingMessage[] = [];
  const server = createServer((request, response) => {
    seen.push(request);
    answer(request, response, seen.length);
  });
  await new Promise<void>((ready) => server.listen(0, '127.0.0.1', ready));
  const { port } = server.address() as AddressInfo;
  let asked = 0;
  const token = async (): Promise<string> => {
    asked += 1;
    return `token-${asked}`;
  };
  const access = { server: `http://127.0.0.1:${port}`, origin: 'a test', skipTlsVerify: false, token };
  const client = createClient(createTransport(access));
  try {
    await use(client, seen);
  } finally {
    await client.close();
    server.closeAllConnections();
    server.close();
  }
}

function json(response: ServerResponse, status: number, body: object, headers = {}): void {
  response.writeHead(status, { 'content-type': 'application/json', ...headers }).end(JSON.stringify(body));
}

const list = { metadata: { resourceVersion: '7' }, items: [pod] };
const soon = (): AbortSignal => AbortSignal.timeout(20_000);

describe('A request to the API server', () => {
  it('is sent again by a new token when the former one has expired', async () => {
    await withServer(
      ({ headers }, response) =>
        headers.authorization === 'Bearer token-1'
          ? json(response, 401, { reason: 'Unauthorized', message: 'Unauthorized' })
          : json(response, 200, list),
      async (client, seen) => {
        assert.equal((await client.list(pods, soon())).items.length, 1);
        assert.equal(seen.length, 2);
      },
    );
  });

  it('ends when the new token is refused too', async () => {
    await withServer(
      (_request, response) => json(response, 401, { reason: 'Unauthorized', message: 'Unauthorized' }),
      async (client, seen) => {
        await assert.rejects(client.list(pods, soon()), { code: 'CLUSTER_UNAUTHENTICATED' });
        assert.equal(seen.length, 2);
      },
    );
  });

  it('waits as long as priority and fairness ask for', async () => {
    await withServer(
      (_request, response, count) =>
        count <= 6
          ? json(response, 429, { message: 'too many requests' }, { 'retry-after': '0' })
          : json(response, 200, list),
      async (client) => {
        await assert.rejects(client.list(pods, soon()), 'an API server that never answered is soon given up');
        assert.equal((await client.list(pods, soon())).items.length, 1);
      },
    );
  });
});

describe('A watch that is cut', () => {
  it('begins with a new list when its version is too old, and when its token has expired', async () => {
    let lists = 0;
    let watches = 0;
    await withServer(
      ({ url }, response) => {
        if (!url?.includes('watch=true')) {
          lists += 1;
          return json(response, 200, { ...list, items: lists < 3 ? [] : [pod] });
        }
        watches += 1;
        if (watches === 1) return json(response, 401, { reason: 'Unauthorized', message: 'Unauthorized' });
        const gone = { type: 'ERROR', object: { kind: 'Status', code: 410, metadata: {} } };
        return json(response, 200, gone);
      },
      async (client) => {
        const { answer } = await watchUntil(
          client,
          [pods],
          { timeoutMs: 15_000, signal: soon() },
          ([found]) => (found?.length === 1 ? 'seen' : undefined),
        );
        assert.equal(answer, 'seen');
        assert.equal(lists, 3);
        assert.ok(watches >= 2);
      },
    );
  });
});

describe('A watch that is refused', () => {
  const forbidden = { reason: 'Forbidden', message: 'pods is forbidden' };
  const watched = (client: KubeClient): Promise<{ answer: string | undefined }> =>
    watchUntil(client, [pods], { timeoutMs: 18_000, signal: soon() }, ([found]) =>
      found?.length === 2 ? 'seen' : undefined,
    );

  it('goes on when the API server had only not read its roles yet', async () => {
    const other = { metadata: { ...pod.metadata, name: 'api', uid: '2', resourceVersion: '8' } };
    let watches = 0;
    await withServer(
      ({ url }, response) => {
        if (!url?.includes('watch=true')) return json(response, 200, list);
        watches += 1;
        return watches === 1
          ? json(response, 403, forbidden)
          : json(response, 200, { type: 'ADDED', object: other });
      },
      async (client) => {
        assert.equal((await watched(client)).answer, 'seen');
      },
    );
  });

  it('ends when the right is still missing at the fourth request', async () => {
    let watches = 0;
    await withServer(
      ({ url }, response) => {
        if (!url?.includes('watch=true')) return json(response, 200, list);
        watches += 1;
        return json(response, 403, forbidden);
      },
      async (client) => {
        await assert.rejects(watched(client), { status: 403 });
        assert.equal(watches, 4);
      },
    );
  }).timeout(20_000);
});

describe('A list of many objects', () => {
  const page = (items: readonly object[], next?: string): object => ({
    metadata: { resourceVersion: '7', ...(next === undefined ? {} : { continue: next }) },
    items,
  });
  const other = { metadata: { ...pod.metadata, name: 'api', uid: '2' } };

  it('comes in parts', async () => {
    await withServer(
      ({ url }, response) =>
        json(response, 200, url?.includes('continue=more') ? page([other]) : page([pod], 'more')),
      async (client) => {
        const { items } = await client.list(pods, soon());
        assert.deepEqual(
          items.map(({ metadata }) => metadata.name),
          ['web', 'api'],
        );
      },
    );
  });

  it('is asked for as a whole when its next part is too old by now', async () => {
    await withServer(
      ({ url }, response) => {
        if (url?.includes('continue=more')) return json(response, 410, { reason: 'Expired' });
        return json(response, 200, url?.includes('limit=') ? page([pod], 'more') : page([pod, other]));
      },
      async (client, seen) => {
        assert.equal((await client.list(pods, soon())).items.length, 2);
        assert.equal(seen.length, 3);
      },
    );
  });
});
