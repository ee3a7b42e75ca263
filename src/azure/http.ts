import { request as send } from 'undici';
import type { Log } from '../host/host.ts';
import { createDispatcher } from '../http/network/routed.ts';
import { type AskedService, correlation, ownHeaders, withSentId } from '../http/ownRequest.ts';
import { isTemporaryNetworkError, isTemporaryStatus, parseRetryAfter, retry } from '../http/retry.ts';
import { type Network, trustedAuthorities } from './signIn.ts';
import { tellWaits } from './waiting.ts';

export interface AzureRequest {
  readonly method: 'GET' | 'POST';
  readonly url: string | URL;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
  /** What it starts would be started twice: it is asked again only where it certainly was not taken. */
  readonly once?: boolean;
  /** Whose convention the request's id follows; Azure's where it is left out. */
  readonly service?: AskedService;
}

export interface AzureAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly text: string;
  /** The ids by which both sides find the request again, for an error's text. */
  readonly correlation: string;
}

/** Sends one request; answers of a passing failure and broken connections are asked for again. */
export type SendAzure = (request: AzureRequest, signal: AbortSignal) => Promise<AzureAnswer>;

const attempts = 4;
const answerMs = 60_000;

class Passing extends Error {
  readonly answer: AzureAnswer;

  constructor(answer: AzureAnswer) {
    super(`HTTP ${answer.status}`);
    this.answer = answer;
  }
}

const neverSent = new Set(['ECONNREFUSED', 'EAI_AGAIN', 'UND_ERR_CONNECT_TIMEOUT']);

/** Whether the service certainly did nothing: it was not reached, or is throttling. */
function wasNotTaken(error: unknown): boolean {
  if (error instanceof Passing) return error.answer.status === 429;
  return error instanceof Error && 'code' in error && neverSent.has(String(error.code));
}

function afterMs(error: unknown): number | undefined {
  const header = error instanceof Passing ? error.answer.headers['retry-after'] : undefined;
  return parseRetryAfter(Array.isArray(header) ? header[0] : header);
}

/**
 * A sender for Azure's small services (OIDC, resource manager, registry tokens); throws what the socket threw. `log`
 * learns of waits.
 */
export function createSend(network: Network, log?: Pick<Log, 'info'>): SendAzure {
  const tell = log === undefined ? undefined : tellWaits(log);
  const ca = trustedAuthorities(network);
  const dispatcher = ca === undefined ? undefined : createDispatcher({ connect: { ca } });

  const attempt = async (request: AzureRequest, signal: AbortSignal): Promise<AzureAnswer> => {
    const headers = {
      accept: 'application/json',
      ...ownHeaders(request.service ?? 'azure'),
      ...request.headers,
    };
    const response = await send(request.url, {
      method: request.method,
      headers,
      body: request.body ?? null,
      signal,
      headersTimeout: answerMs,
      bodyTimeout: answerMs,
      ...(dispatcher === undefined ? {} : { dispatcher }),
    }).catch((error: unknown) => {
      throw withSentId(error, headers);
    });
    const text = await response.body.text();
    const answer = {
      ...{ status: response.statusCode, headers: response.headers, text },
      correlation: correlation(headers, response.headers),
    };
    if (isTemporaryStatus(answer.status)) throw new Passing(answer);
    return answer;
  };

  return async (request, signal) => {
    try {
      return await retry(() => attempt(request, signal), {
        attempts,
        signal,
        onRetry: (error, waitMs) => {
          if (error instanceof Passing) tell?.(error.answer.status, request.url, waitMs);
        },
        advise: (error) => {
          const wait = afterMs(error);
          const passes = error instanceof Passing || isTemporaryNetworkError(error);
          const temporary = passes && (request.once !== true || wasNotTaken(error));
          return { temporary, ...(wait === undefined ? {} : { afterMs: wait }) };
        },
      });
    } catch (error) {
      if (error instanceof Passing) return error.answer;
      throw error;
    }
  };
}

/** The answer's JSON object; empty for anything else, so that a proxy's page is read as "no such field". */
export function fieldsOf(answer: AzureAnswer): Readonly<Record<string, unknown>> {
  try {
    const value: unknown = JSON.parse(answer.text);
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
  } catch {
    return {};
  }
}
