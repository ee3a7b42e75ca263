import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { rootCertificates } from 'node:tls';
import { createNetwork } from '../http/network/network.ts';
import { type AgentProxy, agentProxy, environmentProxy } from '../http/network/proxy.ts';
import { openRelay, type Relay } from '../http/network/relay.ts';
import type { Network, Trust } from '../http/network/settings.ts';
import { type ClientCertificateFiles, isEncrypted, readAgentFile, shownBy } from './clientCertificate.ts';

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

/** Names by which pip and uv are told of one file with the client certificate and its key. */
const clientCertificateVariables = ['PIP_CLIENT_CERT', 'SSL_CLIENT_CERT'];

/** The PEM certificate with its key, as text; none where the key has a password, which no program could be given. */
function clientPem({ cert, key }: Trust): string | undefined {
  if (!Buffer.isBuffer(cert) || !Buffer.isBuffer(key) || isEncrypted(key)) return undefined;
  return cert.equals(key) ? cert.toString() : `${cert.toString().trimEnd()}\n${key.toString()}`;
}

/** Writes a file for children, for this account's eyes only, and gives each of the variables its path. */
function named(folder: string, name: string, content: string, variables: readonly string[]) {
  mkdirSync(folder, { recursive: true });
  const file = join(folder, name);
  writeFileSync(file, content, { mode: 0o600 });
  return { file, environment: Object.fromEntries(variables.map((variable) => [variable, file])) };
}

/**
 * The environment of child processes: a relay of this process instead of the agent's proxy, a file of all authorities
 * in `folder`, and one of the client certificate, which `close` removes. What the environment says already stays where
 * the agent has no setting.
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
  const { ca } = network.trust;
  const trusted = Array.isArray(ca)
    ? named(options.folder, 'authorities.pem', ca.join('\n'), authorityVariables).environment
    : {};
  const pem = clientPem(network.trust);
  const shown =
    pem === undefined ? undefined : named(options.folder, 'client.pem', pem, clientCertificateVariables);
  return {
    environment: { ...variables, ...trusted, ...shown?.environment },
    close: () => {
      relay?.close();
      if (shown !== undefined) rmSync(shown.file, { force: true });
    },
  };
}
