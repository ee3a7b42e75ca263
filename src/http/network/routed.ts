import type { ConnectionOptions } from 'node:tls';
import { Agent, buildConnector, Dispatcher, getGlobalDispatcher, ProxyAgent } from 'undici';
import { noteFailure } from './noted.ts';
import { type ForwardProxy, proxyAuthorization } from './proxy.ts';
import type { Network } from './settings.ts';
import { openTunnel } from './tunnel.ts';

type Connect = Omit<ConnectionOptions, 'allowH2' | 'timeout'> & { readonly timeout?: number };
type AgentOptions = Omit<Agent.Options, 'connect'> & { readonly connect?: Connect };

/** Connects directly or through a tunnel. Authorities of the network count beside those of the server's own. */
function connectorOf(network: Network, own: Connect = {}): buildConnector.connector {
  // A client certificate of a server's own stands against the agent's.
  const { ca, ...shown } = network.trust;
  const bare = own.cert === undefined ? network.trust : ca === undefined ? {} : { ca };
  const trust = own.ca === undefined ? { ...bare, ...own } : own;
  const direct = buildConnector({ ...(trust as buildConnector.BuildOptions) });
  const both = own.ca === undefined || ca === undefined ? own.ca : [own.ca, ca].flat();
  const tunnelled = buildConnector({
    ...(trust as buildConnector.BuildOptions),
    ...(both === undefined ? {} : { ca: both }),
  });
  return (options, callback) => {
    const port = options.port || (options.protocol === 'https:' ? '443' : '80');
    const host = options.hostname.includes(':') ? `[${options.hostname}]` : options.hostname;
    const origin = new URL(`${options.protocol}//${host}:${port}`);
    const proxy = network.proxyFor(origin);
    const done: buildConnector.Callback = (...result) => {
      if (result[0] !== null) noteFailure(network, result[0], origin);
      callback(...result);
    };
    if (proxy === undefined || options.protocol !== 'https:') return direct(options, done);
    openTunnel(proxy, `${host}:${port}`, { ca, ...shown }).then(
      (httpSocket) => tunnelled({ ...options, httpSocket }, done),
      (error: unknown) => done(error instanceof Error ? error : new Error(String(error)), null),
    );
  };
}

/** Sends requests as the network prescribes; plain http goes to a proxy as a whole address. */
export class NetworkDispatcher extends Dispatcher {
  readonly network: Network;
  readonly #agent: Agent;
  readonly #plain = new Map<string, ProxyAgent>();

  constructor(network: Network, options: AgentOptions = {}) {
    super();
    this.network = network;
    this.#agent = new Agent({ ...options, connect: connectorOf(network, options.connect) });
  }

  #plainBy(proxy: ForwardProxy): ProxyAgent {
    const known = this.#plain.get(proxy.origin);
    if (known !== undefined) return known;
    const token = proxyAuthorization(proxy);
    const agent = new ProxyAgent({
      uri: proxy.origin,
      proxyTunnel: false,
      ...(token === undefined ? {} : { token }),
    });
    this.#plain.set(proxy.origin, agent);
    return agent;
  }

  override dispatch(options: Dispatcher.DispatchOptions, handler: Dispatcher.DispatchHandler): boolean {
    const origin = new URL(options.origin ?? 'http://localhost');
    const proxy = origin.protocol === 'http:' ? this.network.proxyFor(origin) : undefined;
    return (proxy === undefined ? this.#agent : this.#plainBy(proxy)).dispatch(options, handler);
  }

  override async close(): Promise<void> {
    await Promise.all([this.#agent, ...this.#plain.values()].map((agent) => agent.close()));
  }

  override async destroy(): Promise<void> {
    await Promise.all([this.#agent, ...this.#plain.values()].map((agent) => agent.destroy()));
  }
}

/** A dispatcher with connections of its own, which follows the network of this process where there is one. */
export function createDispatcher(options: AgentOptions): Dispatcher {
  const standard = getGlobalDispatcher();
  return standard instanceof NetworkDispatcher
    ? new NetworkDispatcher(standard.network, options)
    : new Agent(options as Agent.Options);
}
