import type { Readable } from 'node:stream';
import { type Dispatcher, request as send } from 'undici';
import { correlation, type HeaderFields, ownHeaders, withSentId } from '../http/ownRequest.ts';
import { parseRetryAfter, retry } from '../http/retry.ts';
import { type Credentials, createAuthorizer, type FetchToken } from './auth.ts';
import { adviseRegistry } from './failure.ts';
import { RegistryRefusal, readComplaint } from './refusal.ts';

export interface TransportOptions {
  /** Scheme and host of the registry's API. */
  readonly registryUrl: string;
  readonly credentials?: Credentials;
  /** Asks the token service where it wants more than credentials, as Azure's do. */
  readonly fetchToken?: FetchToken;
  /** Registers tokens for masking, each before its first use. */
  readonly secret?: (value: string) => void;
  readonly dispatcher?: Dispatcher;
  readonly signal: AbortSignal;
  /** The process's own where it is left out. */
  readonly userAgent?: string;
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
  readonly headers: HeaderFields;
  readonly body: Dispatcher.ResponseData['body'];
  /** Address that answered, after redirects. */
  readonly url: URL;
  /** The own headers of the request that it answered. */
  readonly sent: HeaderFields;
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
  const ids = correlation(response.sent, response.headers);
  return new RegistryRefusal(response.status, readComplaint(body.toString('utf8')), { afterMs, ids });
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

type Asked = Omit<NonNullable<Parameters<typeof send>[1]>, 'headers' | 'dispatcher' | 'signal'> & {
  readonly headers: Readonly<Record<string, string>>;
};

/** Puts one request on the wire, named and numbered; it follows and repeats nothing. */
function createAsker(options: TransportOptions): (url: URL, request: Asked) => Promise<RegistryResponse> {
  // A registry that is entered by tokens of an identity is Azure's.
  const service = options.fetchToken === undefined ? 'other' : 'azure';
  const named = options.userAgent === undefined ? {} : { 'user-agent': options.userAgent };
  const dispatcher = options.dispatcher === undefined ? {} : { dispatcher: options.dispatcher };
  return async (url, request) => {
    const sent = { ...ownHeaders(service), ...named };
    try {
      const wanted = {
        ...request,
        headers: { ...sent, ...request.headers },
        signal: options.signal,
        ...dispatcher,
      };
      const { statusCode, headers, body } = await send(url, wanted);
      return { status: statusCode, headers, body, url, sent };
    } catch (error) {
      throw withSentId(error, sent);
    }
  };
}

/** A transport without state but for the tokens it has been given. */
export function createTransport(options: TransportOptions): Transport {
  const origin = new URL(options.registryUrl);
  const ask = createAsker(options);

  /** One request on the wire; credentials go to the registry's own origin alone. */
  const exchange = async (
    request: RegistryRequest,
    url: URL,
    authorization: string | undefined,
  ): Promise<RegistryResponse> => {
    const mayKnow = url.origin === origin.origin && authorization !== undefined;
    return ask(url, {
      method: request.method,
      headers: { ...request.headers, ...(mayKnow ? { authorization } : {}) },
      // undici takes any async iterable; its types name streams alone.
      body: (request.body?.() ?? null) as Readable | Uint8Array | null,
      headersTimeout: request.timeoutMs ?? defaultTimeoutMs,
      bodyTimeout: defaultTimeoutMs,
    });
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
    const answer = await ask(url, {
      headers: authorization === undefined ? {} : { authorization },
      headersTimeout: defaultTimeoutMs,
    });
    if (answer.status !== 200) throw await refusal(answer);
    return JSON.parse((await readAll(answer.body, largestDocument)).toString('utf8'));
  };

  const { credentials, secret } = options;
  const authorizer = createAuthorizer(origin, credentials, options.fetchToken ?? fetchToken, secret);

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
