import assert from 'node:assert/strict';
import { get as getPlain, type IncomingMessage } from 'node:http';
import { get as getSecure } from 'node:https';
import { ProxyAgent, request } from 'undici';
import { type CertificateAuthority, createAuthority } from '../../local/identity/authority.ts';
import { type RunningServer, startServer } from '../../local/identity/server.ts';
import { type InspectingProxy, startInspectingProxy } from '../../local/proxy/index.ts';
import { DeliveryError, explain } from '../../src/errors.ts';
import { explainNetwork } from '../../src/http/network/explain.ts';
import { createNetwork } from '../../src/http/network/network.ts';
import { createNodeAgent } from '../../src/http/network/nodeAgent.ts';
import { agentProxy } from '../../src/http/network/proxy.ts';
import { openRelay } from '../../src/http/network/relay.ts';
import { NetworkDispatcher } from '../../src/http/network/routed.ts';
import type { Network } from '../../src/http/network/settings.ts';

const [username, password] = ['agent', 'p@ss:word'] as const;

describe('an inspecting proxy that asks for a password', () => {
  let authority: CertificateAuthority;
  let secure: RunningServer;
  let plain: RunningServer;
  let proxy: InspectingProxy;

  before(async () => {
    authority = await createAuthority();
    const answer = async ({ url }: { url: URL }) => ({ status: 200, json: { host: url.host } });
    secure = await startServer(answer, await authority.issue());
    plain = await startServer(answer);
    const hosts = new Map([
      ['secure.test', secure.url],
      ['plain.test', plain.url],
    ]);
    const upstreamAuthorities = [authority.certificate];
    proxy = await startInspectingProxy({ username, password, hosts, upstreamAuthorities });
  });
  after(() => Promise.all([secure.close(), plain.close(), proxy.close()]));

  const network = (
    changed: { username?: string; password?: string; ca?: string; url?: string } = {},
  ): Network =>
    createNetwork({
      proxyFor: agentProxy({ url: proxy.url, username, password, bypass: [], ...changed }),
      trust: { ca: changed.ca ?? proxy.authority },
    });
  const urls = ['https://secure.test/a', 'http://plain.test/b'];

  /** Both kinds of clients that the product has. */
  const byUndici = async (url: string, through: Network): Promise<string> => {
    const dispatcher = new NetworkDispatcher(through);
    try {
      return await (await request(url, { dispatcher })).body.text();
    } finally {
      await dispatcher.destroy();
    }
  };
  const byNode = async (url: string, through: Network): Promise<string> => {
    const agent = createNodeAgent(through);
    const get = url.startsWith('https:') ? getSecure : getPlain;
    try {
      const answer = await new Promise<IncomingMessage>((resolve, reject) => {
        get(url, { agent }, resolve).on('error', reject);
      });
      const parts: Buffer[] = [];
      for await (const part of answer) parts.push(part as Buffer);
      return Buffer.concat(parts).toString('utf8');
    } finally {
      agent.destroy();
    }
  };
  const clients = [
    ['undici', byUndici],
    ['Node', byNode],
  ] as const;

  const explained = async (
    client: typeof byUndici,
    through: Network,
  ): Promise<{ code: string; text: string }> => {
    const error = await client('https://secure.test/', through).then(
      () => assert.fail('it did not fail'),
      (reason: unknown) => reason,
    );
    const asRoomsSay = new DeliveryError({
      ...{ code: 'STORAGE_UNTRUSTED', side: 'storage', message: 'Not reached.', remedy: 'Look.' },
      cause: error,
    });
    const told = await explainNetwork(asRoomsSay, through);
    assert.ok(told instanceof DeliveryError);
    return { code: told.code, text: explain(told) };
  };

  for (const [name, client] of clients) {
    it(`is passed by clients of ${name}, in TLS and without`, async () => {
      for (const url of urls) {
        assert.equal(await client(url, network()), JSON.stringify({ host: new URL(url).host }));
      }
      assert.deepEqual(
        proxy.seen.slice(-2).map(({ url }) => url),
        urls,
      );
    });

    it(`is named to clients of ${name} with the user that it did not accept`, async () => {
      const { code, text } = await explained(client, network({ password: 'wrong' }));
      assert.equal(code, 'PROXY_UNAUTHORIZED');
      assert.match(text, /127\.0\.0\.1:\d+.*user 'agent'/);
      assert.match(text, /Basic realm="organisation"/);
      assert.doesNotMatch(text, /wrong/);
    });

    it(`is named to clients of ${name} by its authority when that is not trusted`, async () => {
      const { code, text } = await explained(client, network({ ca: authority.certificate }));
      assert.equal(code, 'STORAGE_UNTRUSTED');
      assert.match(text, /issued by 'inspecting proxy'/);
      assert.match(text, /--sslcacert/);
    });

    it(`is named to clients of ${name} when it cannot be reached`, async () => {
      const { code, text } = await explained(client, network({ url: 'http://127.0.0.1:1' }));
      assert.equal(code, 'PROXY_UNREACHABLE');
      assert.match(text, /http:\/\/127\.0\.0\.1:1, from the agent's proxy setting/);
    });
  }

  it('is passed by child processes through a relay that knows its password in their place', async () => {
    const relay = await openRelay(network());
    const { origin, username: user, password: own } = new URL(relay.url);
    const token = `Basic ${Buffer.from(`${user}:${own}`).toString('base64')}`;
    const child = new ProxyAgent({ uri: origin, token, requestTls: { ca: proxy.authority } });
    const stranger = new ProxyAgent({ uri: origin, requestTls: { ca: proxy.authority } });
    try {
      const answer = await request('https://secure.test/c', { dispatcher: child });
      assert.deepEqual(await answer.body.json(), { host: 'secure.test' });
      await assert.rejects(request('https://secure.test/d', { dispatcher: stranger }), /407/);
      assert.ok(!relay.url.includes(encodeURIComponent(password)));
    } finally {
      await Promise.all([child.destroy(), stranger.destroy()]);
      relay.close();
    }
  });
});
