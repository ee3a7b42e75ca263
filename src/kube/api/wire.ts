import { setMaxListeners } from 'node:events';
import { type Dispatcher, ProxyAgent } from 'undici';
import { createDispatcher } from '../../http/network/routed.ts';
import { type HeaderFields, ownHeaders, withSentId } from '../../http/ownRequest.ts';
import type { ClusterAccess } from './access.ts';

/** One HTTP request to the API server. */
export interface WireRequest {
  readonly method: string;
  /** With query. */
  readonly path: string;
  readonly contentType?: string;
  readonly body?: string | Uint8Array;
  /** Longest silence within the answer, in milliseconds. */
  readonly silenceMs: number;
  readonly signal: AbortSignal;
}

/** An answer, with the headers of its request. */
export type WireResponse = Dispatcher.ResponseData & { readonly sent: HeaderFields };

/** Connections to one API server: TLS, proxy and credentials. */
export interface Wire {
  request(request: WireRequest): Promise<WireResponse>;
  /** Requests sent so far. */
  count(): number;
  close(): Promise<void>;
}

const headersMs = 60_000;

function dispatcherFor(access: ClusterAccess): Dispatcher {
  const tls = {
    rejectUnauthorized: !access.skipTlsVerify,
    ...(access.certificateAuthority === undefined ? {} : { ca: access.certificateAuthority }),
    ...(access.clientCertificate === undefined ? {} : { cert: access.clientCertificate }),
    ...(access.clientKey === undefined ? {} : { key: access.clientKey }),
    ...(access.tlsServerName === undefined ? {} : { servername: access.tlsServerName }),
  };
  if (access.proxyUrl !== undefined) return new ProxyAgent({ uri: access.proxyUrl, requestTls: tls });
  return createDispatcher({ connect: { ...tls, timeout: 10_000 }, pipelining: 1 });
}

/** Connections by this access; the first is made by the first request. */
export function createWire(access: ClusterAccess): Wire {
  const base = new URL(access.server);
  const prefix = base.pathname.replace(/\/$/, '');
  const dispatcher = dispatcherFor(access);
  let count = 0;
  return {
    async request({ method, path, contentType, body, silenceMs, signal }) {
      count += 1;
      // Every request under way listens to the task's one signal: more than ten are no leak.
      setMaxListeners(0, signal);
      const token = await access.token?.();
      const sent = { accept: 'application/json', ...ownHeaders('kubernetes') };
      const headers = {
        ...sent,
        ...(body === undefined ? {} : { 'content-type': contentType ?? 'application/json' }),
        ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
      };
      const where = { origin: base.origin, path: prefix + path, method: method as Dispatcher.HttpMethod };
      const limits = { signal, headersTimeout: headersMs, bodyTimeout: silenceMs };
      const answer = await dispatcher
        .request({ ...where, ...limits, headers, body: body ?? null })
        .catch((error: unknown) => {
          throw withSentId(error, sent);
        });
      return Object.assign(answer, { sent });
    },
    count: () => count,
    close: () => dispatcher.destroy(),
  };
}
