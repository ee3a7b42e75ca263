import http from 'node:http';
import https from 'node:https';
import type { Socket } from 'node:net';
import type { ConnectionOptions } from 'node:tls';
import { type ForwardProxy, proxyAuthorization } from './proxy.ts';

/** A proxy that let nothing through. Its code is of the form that the clients take for a broken network. */
export class ProxyFailure extends Error {
  readonly code = 'EPROXY';
  readonly proxy: ForwardProxy;
  /** The proxy's answer; undefined when it gave none. */
  readonly status: number | undefined;

  constructor(proxy: ForwardProxy, problem: string, details: { status?: number; cause?: unknown } = {}) {
    super(`the proxy ${proxy.origin} ${problem}`, { cause: details.cause });
    this.proxy = proxy;
    this.status = details.status;
  }
}

const answerMs = 30_000;

/** The failure that an answer of the proxy itself means. */
export function refusedBy(proxy: ForwardProxy, status: number, schemes: string | undefined): ProxyFailure {
  const who = proxy.username === undefined ? 'no user was given' : `the user was '${proxy.username}'`;
  const wanted = schemes === undefined ? '' : `; it wants ${schemes.slice(0, 100)}`;
  const problem =
    status === 407 ? `asks for authentication (407; ${who}${wanted})` : `refused the way (HTTP ${status})`;
  return new ProxyFailure(proxy, problem, { status });
}

/**
 * A connection to `target` (host:port) through the proxy. Throws ProxyFailure.
 * RFC 9110, section 9.3.6.
 */
export function openTunnel(proxy: ForwardProxy, target: string, tls: ConnectionOptions): Promise<Socket> {
  const url = new URL(proxy.origin);
  const secure = url.protocol === 'https:';
  const authorization = proxyAuthorization(proxy);
  return new Promise((resolve, reject) => {
    const request = (secure ? https : http).request({
      ...(secure ? tls : {}),
      hostname: url.hostname.replace(/^\[|\]$/g, ''),
      port: url.port || (secure ? 443 : 80),
      method: 'CONNECT',
      path: target,
      // Not `false`: that makes another agent of the kind of the process's, which leads through the proxy.
      agent: secure ? new https.Agent() : new http.Agent(),
      timeout: answerMs,
      headers: {
        host: target,
        ...(authorization === undefined ? {} : { 'proxy-authorization': authorization }),
      },
    });
    request.once('connect', (answer, socket: Socket) => {
      const status = answer.statusCode ?? 0;
      if (status >= 200 && status < 300) return resolve(socket.setTimeout(0));
      socket.destroy();
      reject(refusedBy(proxy, status, answer.headers['proxy-authenticate']));
    });
    request.once('timeout', () => request.destroy(new Error(`no answer in ${answerMs / 1000} s`)));
    request.once('error', (cause) => reject(new ProxyFailure(proxy, 'cannot be reached', { cause })));
    request.end();
  });
}
