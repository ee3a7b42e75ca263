import { Agent, type Dispatcher, ProxyAgent } from 'undici';
import { isTemporaryNetworkError, isTemporaryStatus, parseRetryAfter, retry } from '../http/retry.ts';
import type { ClusterAccess } from './access.ts';
import { unreachable } from './networkError.ts';
import { ApiError, apiError, type Call, type Status } from './statusError.ts';

/** One request to the API server. Every verb used here may be repeated: reads, server-side applies, deletes, reviews. */
export interface ApiRequest {
  readonly call: Call;
  readonly method: 'GET' | 'PATCH' | 'POST' | 'PUT' | 'DELETE';
  readonly path: string;
  readonly query?: Readonly<Record<string, string>>;
  readonly body?: unknown;
  readonly contentType?: string;
  readonly signal: AbortSignal;
}

/** HTTP to one API server: credentials, TLS, proxy, retries of what is temporary, and errors explained. */
export interface Transport {
  readonly access: ClusterAccess;
  /** The answer's JSON. Throws ApiError, CLUSTER_UNREACHABLE or CLUSTER_TLS. */
  json(request: ApiRequest): Promise<unknown>;
  /** The answer's text. */
  text(request: ApiRequest): Promise<string>;
  /** The answer's lines as they come; ends when the server ends it. One attempt: the caller resumes. */
  lines(request: ApiRequest): AsyncGenerator<string>;
  /** Requests sent so far. */
  count(): number;
  close(): Promise<void>;
}

const attempts = 5;
const firstRetryMs = 250;
/** Bookmarks come about every minute on an idle watch; a longer silence means that the connection is dead. */
const streamSilenceMs = 150_000;
const answerMs = 60_000;

class TemporaryAnswer extends Error {
  readonly answer: ApiError;
  readonly afterMs: number | undefined;

  constructor(answer: ApiError, afterMs: number | undefined) {
    super(answer.message);
    this.answer = answer;
    this.afterMs = afterMs;
  }
}

function dispatcherFor(access: ClusterAccess): Dispatcher {
  const tls = {
    rejectUnauthorized: !access.skipTlsVerify,
    ...(access.certificateAuthority === undefined ? {} : { ca: access.certificateAuthority }),
    ...(access.clientCertificate === undefined ? {} : { cert: access.clientCertificate }),
    ...(access.clientKey === undefined ? {} : { key: access.clientKey }),
    ...(access.tlsServerName === undefined ? {} : { servername: access.tlsServerName }),
  };
  if (access.proxyUrl !== undefined) return new ProxyAgent({ uri: access.proxyUrl, requestTls: tls });
  return new Agent({ connect: { ...tls, timeout: 10_000 }, pipelining: 1 });
}

function parseStatus(text: string): Status {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? (value as Status) : { message: text.slice(0, 500) };
  } catch {
    return { message: text.slice(0, 500) };
  }
}

function query(parameters: ApiRequest['query']): string {
  const text = new URLSearchParams(parameters).toString();
  return text === '' ? '' : `?${text}`;
}

async function headers(access: ClusterAccess, request: ApiRequest): Promise<Record<string, string>> {
  const token = await access.token?.();
  return {
    accept: 'application/json',
    'user-agent': 'model-delivery',
    ...(request.body === undefined ? {} : { 'content-type': request.contentType ?? 'application/json' }),
    ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
  };
}

/** A transport for this access; nothing is sent before the first request. */
export function createTransport(access: ClusterAccess): Transport {
  const base = new URL(access.server);
  const prefix = base.pathname.replace(/\/$/, '');
  const dispatcher = dispatcherFor(access);
  let sent = 0;

  async function send(request: ApiRequest, bodyTimeout: number): Promise<Dispatcher.ResponseData> {
    sent += 1;
    const response = await dispatcher.request({
      origin: base.origin,
      path: prefix + request.path + query(request.query),
      method: request.method,
      headers: await headers(access, request),
      body: request.body === undefined ? null : JSON.stringify(request.body),
      signal: request.signal,
      headersTimeout: answerMs,
      bodyTimeout,
    });
    if (response.statusCode < 400) return response;
    const status = parseStatus(await response.body.text());
    const error = apiError(request.call, response.statusCode, status);
    if (!isTemporaryStatus(response.statusCode) || error.side === 'input') throw error;
    const header = response.headers['retry-after'];
    throw new TemporaryAnswer(error, parseRetryAfter(Array.isArray(header) ? header[0] : header));
  }

  function explained(error: unknown, signal: AbortSignal): unknown {
    if (signal.aborted) return signal.reason;
    if (error instanceof TemporaryAnswer) return error.answer;
    if (error instanceof ApiError) return error;
    return error instanceof Error && error.name === 'DeliveryError' ? error : unreachable(access, error);
  }

  async function text(request: ApiRequest): Promise<string> {
    try {
      return await retry(async () => (await send(request, answerMs)).body.text(), {
        attempts,
        signal: request.signal,
        baseDelayMs: firstRetryMs,
        advise: (error) =>
          error instanceof TemporaryAnswer
            ? { temporary: true, ...(error.afterMs === undefined ? {} : { afterMs: error.afterMs }) }
            : { temporary: isTemporaryNetworkError(error) },
      });
    } catch (error) {
      throw explained(error, request.signal);
    }
  }

  async function* lines(request: ApiRequest): AsyncGenerator<string> {
    let rest = '';
    try {
      const response = await send(request, streamSilenceMs);
      const decoder = new TextDecoder();
      for await (const chunk of response.body) {
        const parts = (rest + decoder.decode(chunk as Uint8Array, { stream: true })).split('\n');
        rest = parts.pop() ?? '';
        yield* parts;
      }
    } catch (error) {
      throw explained(error, request.signal);
    }
    if (rest !== '') yield rest;
  }

  return {
    access,
    json: async (request) => JSON.parse(await text(request)) as unknown,
    text,
    lines,
    count: () => sent,
    close: () => dispatcher.destroy(),
  };
}
