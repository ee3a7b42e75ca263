import type { Readable } from 'node:stream';
import { type Dispatcher, request as send } from 'undici';
import { parseRetryAfter, retry } from '../http/retry.ts';
import { type Credentials, createAuthorizer, type FetchToken } from './auth.ts';
import { adviseRegistry, RegistryRefusal, readComplaint } from './failure.ts';

export interface TransportOptions {
  /** Scheme and host of the registry's API. */
  readonly registryUrl: string;
  readonly credentials?: Credentials;
  /** Asks the token service where it wants more than credentials, as Azure's do. */
  readonly fetchToken?: FetchToken;
  readonly dispatcher?: Dispatcher;
  readonly signal: AbortSignal;
  readonly userAgent: string;
  /** Told of each further attempt. */
  readonly onRetry?: (reason: string, delayMs: number) => void;
}

export interface RegistryRequest {
  readonly method: 'GET' | 'HEAD' | 'POST' | 'PATCH' | 'PUT' | 'DELETE';
  /** Path below the registry's root, or a whole address that the registry gave. */
  readonly path: string | URL;
  /** Token scope, for example `repository:app:pull,push`. */
  readonly scope: string;
  /** Statuses that are answers; every other one is thrown as {@link RegistryRefusal}. */
  readonly expect: readonly number[];
  readonly headers?: Readonly<Record<string, string>>;
  /** Made anew for each attempt. */
  readonly body?: () => AsyncIterable<Uint8Array> | Uint8Array;
  /** Wait for the answer's beginning, in milliseconds. */
  readonly timeoutMs?: number;
  /** 1 where the caller itself continues after a failure; 4 otherwise. */
  readonly attempts?: number;
}

export interface RegistryResponse {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>;
  readonly body: Dispatcher.ResponseData['body'];
  /** Address that answered, after redirects. */
  readonly url: URL;
}

/** Sends requests to one registry: signed in, redirected, repeated. */
export interface Transport {
  readonly origin: URL;
  send(request: RegistryRequest): Promise<RegistryResponse>;
  /** The answer's body as a whole, at most `limit` bytes. */
  read(response: RegistryResponse, limit?: number): Promise<Buffer>;
}

const defaultTimeoutMs = 60_000;
const defaultAttempts = 4;
const mostRedirects = 5;
const largestDocument = 16 * 1024 * 1024;

/** One header's single value. */
export function headerOf(response: Pick<RegistryResponse, 'headers'>, name: string): string | undefined {
  const value = response.headers[name];
  return typeof value === 'string' ? value : value?.[0];
}

async function readAll(body: AsyncIterable<Uint8Array>, limit: number): Promise<Buffer> {
  const parts: Uint8Array[] = [];
  let size = 0;
  for await (const part of body) {
    size += part.byteLength;
    if (size > limit) throw new Error(`the answer is larger than ${limit} bytes`);
    parts.push(part);
  }
  return Buffer.concat(parts);
}

async function refusal(response: RegistryResponse): Promise<RegistryRefusal> {
  const body = await readAll(response.body, 65_536).catch(() => Buffer.alloc(0));
  const afterMs = parseRetryAfter(headerOf(response, 'retry-after'));
  return new RegistryRefusal(response.status, readComplaint(body.toString('utf8')), afterMs);
}

function redirectTarget(request: RegistryRequest, response: RegistryResponse): URL | undefined {
  const location = headerOf(response, 'location');
  const redirects = [301, 302, 303, 307, 308].includes(response.status);
  if (!redirects || location === undefined || !['GET', 'HEAD'].includes(request.method)) return undefined;
  const target = new URL(location, response.url);
  if (response.url.protocol === 'https:' && target.protocol !== 'https:') {
    throw new Error(`it redirects from https to ${target.origin}`);
  }
  return target;
}

/** A transport without state but for the tokens it has been given. */
export function createTransport(options: TransportOptions): Transport {
  const origin = new URL(options.registryUrl);

  /** One request on the wire; credentials go to the registry's own origin alone. */
  const exchange = async (
    request: RegistryRequest,
    url: URL,
    authorization: string | undefined,
  ): Promise<RegistryResponse> => {
    const mayKnow = url.origin === origin.origin && authorization !== undefined;
    const response = await send(url, {
      method: request.method,
      headers: {
        'user-agent': options.userAgent,
        ...request.headers,
        ...(mayKnow ? { authorization } : {}),
      },
      // undici takes any async iterable; its types name streams alone.
      body: (request.body?.() ?? null) as Readable | Uint8Array | null,
      signal: options.signal,
      headersTimeout: request.timeoutMs ?? defaultTimeoutMs,
      bodyTimeout: defaultTimeoutMs,
      ...(options.dispatcher === undefined ? {} : { dispatcher: options.dispatcher }),
    });
    return { status: response.statusCode, headers: response.headers, body: response.body, url };
  };

  const follow = async (request: RegistryRequest, authorization?: string): Promise<RegistryResponse> => {
    let response = await exchange(request, new URL(request.path, origin), authorization);
    for (let count = 0; count < mostRedirects; count += 1) {
      const target = redirectTarget(request, response);
      if (target === undefined) return response;
      await response.body.dump();
      response = await exchange(request, target, authorization);
    }
    throw new Error(`it redirects more than ${mostRedirects} times`);
  };

  const fetchToken = async (url: URL, authorization: string | undefined): Promise<unknown> => {
    const response = await send(url, {
      headers: { 'user-agent': options.userAgent, ...(authorization === undefined ? {} : { authorization }) },
      signal: options.signal,
      headersTimeout: defaultTimeoutMs,
      ...(options.dispatcher === undefined ? {} : { dispatcher: options.dispatcher }),
    });
    const answer = { status: response.statusCode, headers: response.headers, body: response.body, url };
    if (answer.status !== 200) throw await refusal(answer);
    return JSON.parse((await readAll(answer.body, largestDocument)).toString('utf8'));
  };

  const authorizer = createAuthorizer(origin, options.credentials, options.fetchToken ?? fetchToken);

  const attempt = async (request: RegistryRequest): Promise<RegistryResponse> => {
    const known = authorizer.known(request.scope);
    let response = await follow(request, known);
    if (response.status === 401) {
      const challenge = response.headers['www-authenticate'];
      const authorization = await authorizer.answer(challenge, request.scope, known);
      if (authorization !== undefined) {
        await response.body.dump();
        response = await follow(request, authorization);
      }
    }
    if (request.expect.includes(response.status)) return response;
    throw await refusal(response);
  };

  return {
    origin,
    send: (request) =>
      retry(() => attempt(request), {
        attempts: request.attempts ?? defaultAttempts,
        signal: options.signal,
        advise: adviseRegistry,
        onRetry: (error, delayMs) =>
          options.onRetry?.(error instanceof Error ? error.message : String(error), delayMs),
      }),
    read: (response, limit = largestDocument) => readAll(response.body, limit),
  };
}
