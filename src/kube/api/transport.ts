import { answerText } from '../../http/ownRequest.ts';
import {
  isTemporaryNetworkError,
  isTemporaryStatus,
  parseRetryAfter,
  type RetryAdvice,
  retry,
} from '../../http/retry.ts';
import type { ClusterAccess } from './access.ts';
import type { Call } from './explanation.ts';
import { unreachable } from './networkError.ts';
import { ApiError, apiError, type Status } from './statusError.ts';
import { createWire, type WireResponse } from './wire.ts';

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

/** A request that the API server passes on to a pod as it is. */
export interface ForwardedRequest {
  readonly method: string;
  readonly path: string;
  readonly contentType?: string;
  readonly body?: Uint8Array;
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
  /** Sends a request on to a pod; every status is an answer. One attempt. Throws CLUSTER_UNREACHABLE or CLUSTER_TLS. */
  forward(request: ForwardedRequest): Promise<{ readonly status: number; readonly body: string }>;
  /** Requests sent so far. */
  count(): number;
  close(): Promise<void>;
}

const attempts = 5;
/** About a minute: an API server that answered before is restarting. */
const patientAttempts = 9;
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

/** What an error means for the next attempt. A refused token is asked for anew once, it may just have expired. */
function adviser(hasToken: boolean): (error: unknown) => RetryAdvice {
  let mayRenew = hasToken;
  let failures = 0;
  return (error) => {
    if (error instanceof TemporaryAnswer) {
      // A server that is up and fails (a webhook of it gives no answer, say) is not waited for as a restart is.
      if (error.answer.status === 500) failures += 1;
      return {
        temporary: failures < attempts,
        ...(error.afterMs === undefined ? {} : { afterMs: error.afterMs }),
      };
    }
    if (!(error instanceof ApiError && error.status === 401)) {
      return { temporary: isTemporaryNetworkError(error) };
    }
    const temporary = mayRenew;
    mayRenew = false;
    return { temporary };
  };
}

/** A transport for this access; nothing is sent before the first request. */
export function createTransport(access: ClusterAccess): Transport {
  const wire = createWire(access);
  let hasAnswered = false;

  async function send(request: ApiRequest, silenceMs: number): Promise<WireResponse> {
    const { method, contentType, signal } = request;
    const response = await wire.request({
      method,
      path: request.path + query(request.query),
      ...(contentType === undefined ? {} : { contentType }),
      ...(request.body === undefined ? {} : { body: JSON.stringify(request.body) }),
      silenceMs,
      signal,
    });
    hasAnswered = true;
    if (response.statusCode < 400) return response;
    const status = parseStatus(await response.body.text());
    const cause = new Error(answerText(response.statusCode, response.sent, response.headers));
    const error = apiError(request.call, response.statusCode, status, cause);
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
        attempts: hasAnswered ? patientAttempts : attempts,
        signal: request.signal,
        baseDelayMs: firstRetryMs,
        advise: adviser(access.token !== undefined),
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

  async function forward(request: ForwardedRequest): Promise<{ status: number; body: string }> {
    try {
      const response = await wire.request({ ...request, silenceMs: answerMs });
      return { status: response.statusCode, body: await response.body.text() };
    } catch (error) {
      throw explained(error, request.signal);
    }
  }

  return {
    access,
    forward,
    json: async (request) => JSON.parse(await text(request)) as unknown,
    text,
    lines,
    count: () => wire.count(),
    close: () => wire.close(),
  };
}
