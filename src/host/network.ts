import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { rootCertificates } from 'node:tls';
import { createNetwork } from '../http/network/network.ts';
import { type AgentProxy, agentProxy, environmentProxy } from '../http/network/proxy.ts';
import { openRelay, type Relay } from '../http/network/relay.ts';
import type { Network, Trust } from '../http/network/settings.ts';
import { type ClientCertificateFiles, readAgentFile, shownBy } from './clientCertificate.ts';

/** What the agent was configured with, as its library tells it. */
export interface AgentNetwork {
  readonly proxy?: AgentProxy;
  readonly caFile?: string;
  readonly clientCertificate?: ClientCertificateFiles;
}

/** All authorities where the agent has its own: naming some replaces Node's choice, so that is named too. */
function authorities({ caFile }: AgentNetwork, environment: NodeJS.ProcessEnv): string[] | undefined {
  if (caFile === undefined) return undefined;
  const own = readAgentFile(caFile, '--sslcacert').toString();
  const extra = environment['NODE_EXTRA_CA_CERTS'];
  return [
    ...rootCertificates,
    own,
    ...(extra ? [readAgentFile(extra, 'NODE_EXTRA_CA_CERTS').toString()] : []),
  ];
}

function trustOf(agent: AgentNetwork, environment: NodeJS.ProcessEnv): Trust {
  const ca = authorities(agent, environment);
  return { ...(ca === undefined ? {} : { ca }), ...shownBy(agent.clientCertificate ?? {}) };
}

/** The agent's own setting, else the environment's. Throws AGENT_CERTIFICATE_UNREADABLE or …_INVALID. */
export function agentNetwork(agent: AgentNetwork, environment: NodeJS.ProcessEnv): Network {
  const proxyFor = agent.proxy === undefined ? environmentProxy(environment) : agentProxy(agent.proxy);
  return createNetwork({ proxyFor, trust: trustOf(agent, environment) });
}

/** What child processes get so that they take the same way. */
export interface ChildNetwork {
  readonly environment: Readonly<Record<string, string>>;
  close(): void;
}

/** Names by which pip, uv, Go and Python programs are told the authorities to trust. */
const authorityVariables = ['SSL_CERT_FILE', 'PIP_CERT', 'REQUESTS_CA_BUNDLE', 'CURL_CA_BUNDLE'];

function proxyVariables({ url }: Relay): Record<string, string> {
  const names = ['HTTP_PROXY', 'HTTPS_PROXY', 'http_proxy', 'https_proxy'];
  const local = { NO_PROXY: 'localhost,127.0.0.1,::1', no_proxy: 'localhost,127.0.0.1,::1' };
  return { ...Object.fromEntries(names.map((name) => [name, url])), ...local };
}

/**
 * The environment of child processes: a relay of this process instead of the agent's proxy, and a file of all
 * authorities in `folder`. What the environment says already stays where the agent has no setting.
 */
export async function childNetwork(
  agent: AgentNetwork,
  network: Network,
  options: {
    readonly folder: string;
    readonly environment: NodeJS.ProcessEnv;
    readonly secret: (value: string) => void;
  },
): Promise<ChildNetwork> {
  const relay = agent.proxy === undefined ? undefined : await openRelay(network);
  if (relay !== undefined) options.secret(new URL(relay.url).password);
  const variables = relay === undefined ? {} : proxyVariables(relay);
  const trusted: Record<string, string> = {};
  if (Array.isArray(network.trust.ca)) {
    mkdirSync(options.folder, { recursive: true });
    const file = join(options.folder, 'authorities.pem');
    writeFileSync(file, network.trust.ca.join('\n'));
    for (const name of authorityVariables) trusted[name] = file;
  }
  return { environment: { ...variables, ...trusted }, close: () => relay?.close() };
}
