import { isIP } from 'node:net';
import { connect, type DetailedPeerCertificate } from 'node:tls';
import { DeliveryError } from '../../errors.ts';
import type { Network, Untrusted } from './settings.ts';
import { openTunnel, ProxyFailure } from './tunnel.ts';

function causes(error: unknown): Error[] {
  const found: Error[] = [];
  for (let current = error; current instanceof Error && found.length < 8; current = current.cause) {
    found.push(current);
    if (current instanceof AggregateError)
      found.push(...current.errors.filter((one) => one instanceof Error));
  }
  return found;
}

/** SDKs keep the text of a failure, but not the failure. */
function speaksOf(error: unknown, failure: Error): boolean {
  const code = 'code' in failure && typeof failure.code === 'string' ? failure.code : undefined;
  return causes(error).some(
    (one) => one === failure || one.message.includes(failure.message) || one.message === code,
  );
}

const configuring =
  'config --proxyurl, --proxyusername, --proxypassword; on Azure DevOps agents also the file .proxybypass';

function proxyError(failure: ProxyFailure, cause: unknown): DeliveryError {
  const { proxy, status } = failure;
  if (status === 407) {
    const who = proxy.username === undefined ? 'no user' : `user '${proxy.username}'`;
    return new DeliveryError({
      code: 'PROXY_UNAUTHORIZED',
      side: 'agent',
      message: `The proxy ${proxy.origin}, from ${proxy.namedBy}, did not accept ${who}: ${failure.message}.`,
      remedy: `Give the agent the proxy's user and password (${configuring}). Only Basic authentication is spoken; for NTLM or Kerberos put a local proxy between.`,
      cause,
    });
  }
  const refused = status !== undefined;
  return new DeliveryError({
    code: refused ? 'PROXY_REFUSED' : 'PROXY_UNREACHABLE',
    side: 'agent',
    message: refused
      ? `The proxy ${proxy.origin}, from ${proxy.namedBy}, refused the way (HTTP ${status}).`
      : `The proxy ${proxy.origin}, from ${proxy.namedBy}, cannot be reached.`,
    remedy: refused
      ? "Have the proxy's administrator admit the host and port that the message above names, or put the host on the bypass list."
      : `Correct the address (${configuring}), or check that the proxy runs and that the agent resolves its name.`,
    cause: refused ? cause : failure,
  });
}

function nameOf({ issuer }: DetailedPeerCertificate): string | undefined {
  const parts = [issuer?.CN, issuer?.O].flat().filter((part) => typeof part === 'string');
  return parts.length === 0 ? undefined : [...new Set(parts)].join(', ');
}

/** Who signed the certificate that a server shows here. Nothing is sent over this connection. */
async function issuerAt(origin: URL, network: Network): Promise<string | undefined> {
  const host = origin.hostname.replace(/^\[|\]$/g, '');
  const port = Number(origin.port || 443);
  const proxy = network.proxyFor(origin);
  const through =
    proxy === undefined ? {} : { socket: await openTunnel(proxy, `${host}:${port}`, network.trust) };
  return new Promise((resolve) => {
    const name = isIP(host) === 0 ? { servername: host } : {};
    const socket = connect({ ...through, host, port, rejectUnauthorized: false, timeout: 5000, ...name });
    const end = (issuer?: string): void => {
      socket.destroy();
      resolve(issuer);
    };
    socket.once('secureConnect', () => end(nameOf(socket.getPeerCertificate(true))));
    socket.once('timeout', () => end()).once('error', () => end());
  });
}

async function untrustedError(
  error: DeliveryError,
  { origin }: Untrusted,
  network: Network,
): Promise<unknown> {
  const url = new URL(origin);
  const issuer = await issuerAt(url, network).catch(() => undefined);
  if (issuer === undefined) return error;
  return new DeliveryError({
    code: error.code,
    side: error.side,
    message: `${error.message} ${url.host} showed a certificate that was issued by '${issuer}'.`,
    remedy: `If '${issuer}' is your organisation's inspecting proxy or own authority, configure the agent with its certificate (config --sslcacert FILE); otherwise somebody stands between. ${error.remedy}`,
    cause: error.cause,
  });
}

/**
 * The error with what the network knows about it: which proxy refused whom, or which authority signed a certificate
 * that is not trusted. Every other error is given back as it is.
 */
export async function explainNetwork(error: unknown, network: Network): Promise<unknown> {
  for (const failure of [...network.failures].reverse()) {
    if (failure instanceof ProxyFailure && speaksOf(error, failure)) return proxyError(failure, error);
    if ('origin' in failure && error instanceof DeliveryError && speaksOf(error, failure.error)) {
      return untrustedError(error, failure, network);
    }
  }
  return error;
}
