import type { ClientRequest } from 'node:http';
import { connect as connectPlain, isIP, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { Agent, type AgentConnectOpts } from 'agent-base';
import { HttpProxyAgent } from 'http-proxy-agent';
import { noteFailure } from './noted.ts';
import { type ForwardProxy, proxyAuthorization } from './proxy.ts';
import type { Network } from './settings.ts';
import { openTunnel } from './tunnel.ts';

/** For clients of Node's own http and https, as Azure's and Amazon's SDKs are. */
class NetworkAgent extends Agent {
  readonly #network: Network;
  readonly #plain = new Map<string, HttpProxyAgent<string>>();

  constructor(network: Network) {
    super({ keepAlive: true });
    this.#network = network;
  }

  #plainBy(proxy: ForwardProxy): HttpProxyAgent<string> {
    const known = this.#plain.get(proxy.origin);
    if (known !== undefined) return known;
    const authorization = proxyAuthorization(proxy);
    const headers = authorization === undefined ? {} : { 'proxy-authorization': authorization };
    const agent = new HttpProxyAgent(proxy.origin, { headers, keepAlive: true });
    this.#plain.set(proxy.origin, agent);
    return agent;
  }

  async #secure(
    target: string,
    origin: URL,
    options: AgentConnectOpts,
    proxy?: ForwardProxy,
  ): Promise<Socket> {
    const { trust } = this.#network;
    const host = options.host ?? 'localhost';
    const through = proxy === undefined ? {} : { socket: await openTunnel(proxy, target, trust) };
    const name = options.secureEndpoint ? options.servername : undefined;
    const servername = name || (isIP(host) === 0 ? host : '');
    // What was made for http here (the path of the request) means a Unix socket there.
    const { path: _, ...rest } = options as AgentConnectOpts & { path?: unknown };
    const socket = connectTls({
      ...rest,
      ...trust,
      ...through,
      ...(servername === '' ? {} : { servername }),
    });
    return socket.once('error', (error) => noteFailure(this.#network, error, origin));
  }

  override async connect(_request: ClientRequest, options: AgentConnectOpts): Promise<Socket | Agent> {
    const host = options.host ?? 'localhost';
    const target = `${isIP(host) === 6 ? `[${host}]` : host}:${options.port}`;
    const origin = new URL(`${options.secureEndpoint ? 'https' : 'http'}://${target}`);
    const proxy = this.#network.proxyFor(origin);
    if (options.secureEndpoint) {
      return this.#secure(target, origin, options, proxy).catch((error: unknown) => {
        if (error instanceof Error) noteFailure(this.#network, error, origin);
        throw error;
      });
    }
    if (proxy !== undefined) return this.#plainBy(proxy);
    return connectPlain({ host, port: options.port });
  }
}

/** An agent for http and https alike. */
export function createNodeAgent(network: Network): Agent {
  return new NetworkAgent(network);
}
