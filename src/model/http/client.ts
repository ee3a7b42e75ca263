import { type Dispatcher, request as send } from 'undici';
import { DeliveryError } from '../../errors.ts';
import { answerText, type HeaderFields, ownHeaders } from '../../http/ownRequest.ts';
import { isTemporaryStatus, parseRetryAfter } from '../../http/retry.ts';
import { StoreBusyError } from '../store.ts';
import { isNetworkError, unreachable } from '../storeFailure.ts';
import { publicUrl } from './location.ts';

/** A server's answer to GET, its body not read yet. */
export interface HttpAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: Dispatcher.ResponseData['body'];
  /** The request's own headers. */
  readonly sent: HeaderFields;
}

/** What a client knows of the server that it is for. */
export interface HttpClientOptions {
  /** An address of the server: its origin alone gets the credentials. */
  readonly home: string;
  /** The value of the header Authorization. */
  readonly authorization?: string;
  readonly advice: HttpAdvice;
}

/** What the reader of an error should do. */
export interface HttpAdvice {
  /** The input that names the address. */
  readonly input: string;
  /** The server does not let the reader in. */
  readonly refused: string;
  /** Nothing is at an address. */
  readonly missing: string;
}

/** Reads from web servers: redirects followed, refusals explained. */
export interface HttpClient {
  /**
   * An answer with status 200 or 206, or one that `expect` names. Throws STORAGE_FORBIDDEN, STORAGE_BUSY,
   * STORAGE_REDIRECT_UNSAFE, STORAGE_UNREACHABLE, STORAGE_UNTRUSTED or STORAGE_FAILED.
   */
  get(url: URL, headers: Readonly<Record<string, string>>, options: GetOptions): Promise<HttpAnswer>;
  /** What lets a reader in at this address, as a header. */
  authorization(url: URL): Readonly<Record<string, string>>;
}

export interface GetOptions {
  readonly signal: AbortSignal;
  readonly expect?: readonly number[];
}

const mostRedirects = 5;
const redirects: ReadonlySet<number> = new Set([301, 302, 303, 307, 308]);

/** One header's single value. */
export function headerOf({ headers }: Pick<HttpAnswer, 'headers'>, name: string): string | undefined {
  const value = headers[name];
  return typeof value === 'string' ? value : value?.[0];
}

/** A body up to this is rather read to its end, in bytes: a new connection costs more. */
const dumpedBytes = 16 * 1024;

/** Ends an answer whose body nobody wants. */
export function discard(answer: HttpAnswer): void {
  const { body } = answer;
  body.on('error', () => undefined);
  if (Number(headerOf(answer, 'content-length') ?? Infinity) > dumpedBytes) body.destroy();
  else void body.dump({ limit: dumpedBytes }).catch(() => undefined);
}

/** https stays https: whoever is on the way could read or change what plain http carries. */
export function requireNoDowngrade(from: URL, to: URL): void {
  const plain = from.protocol === 'https:' && to.protocol !== 'https:';
  if (!plain && /^https?:$/.test(to.protocol)) return;
  throw new DeliveryError({
    code: 'STORAGE_REDIRECT_UNSAFE',
    side: 'storage',
    message: `${publicUrl(from.href)} leads from https to ${to.protocol}//${to.host}, where anyone on the way could change the model.`,
    remedy: "Correct the server's redirect or the index's address, or name the final https address in 'url'.",
  });
}

/** The error that an answer with this status stands for. */
export function refusal(
  { status, headers, sent }: Omit<HttpAnswer, 'body'>,
  url: URL,
  advice: HttpAdvice,
): DeliveryError {
  const where = publicUrl(url.href);
  const cause = new Error(answerText(status, sent, headers));
  if (status === 401 || status === 403 || status === 407) {
    return new DeliveryError({
      code: 'STORAGE_FORBIDDEN',
      side: 'identity',
      message: `The model's server refused to give ${where}.`,
      remedy: advice.refused,
      cause,
    });
  }
  if (isTemporaryStatus(status)) {
    return new StoreBusyError(
      {
        message: `The model's server ${url.origin} is overloaded or failing.`,
        remedy: 'Run again later.',
        cause,
      },
      parseRetryAfter(headerOf({ headers }, 'retry-after')),
    );
  }
  const missing = status === 404 || status === 410;
  return new DeliveryError({
    code: missing ? 'MODEL_URL_NOT_FOUND' : 'STORAGE_FAILED',
    side: 'storage',
    message: missing ? `There is nothing at ${where}.` : `The model's server could not give ${where}.`,
    remedy: missing ? advice.missing : "Look at the server's own log.",
    cause,
  });
}

/** A client for one model; credentials go to the origin of its address alone, whatever redirects say. */
export function createHttpClient({ home, authorization, advice }: HttpClientOptions): HttpClient {
  const { origin } = new URL(home);
  const own = authorization === undefined ? {} : { authorization };
  const authorizationFor = (url: URL) => (url.origin === origin ? own : {});
  const exchange = async (
    url: URL,
    headers: Record<string, string>,
    signal: AbortSignal,
  ): Promise<HttpAnswer> => {
    const sent = ownHeaders('other');
    try {
      const answer = await send(url, {
        // Lengths and ranges are those of the file itself.
        headers: { 'accept-encoding': 'identity', ...sent, ...headers, ...authorizationFor(url) },
        signal,
        headersTimeout: 60_000,
        bodyTimeout: 60_000,
      });
      return { status: answer.statusCode, headers: answer.headers, body: answer.body, sent };
    } catch (error) {
      signal.throwIfAborted();
      throw isNetworkError(error) ? unreachable(error, url.origin, advice.input) : error;
    }
  };

  return {
    authorization: authorizationFor,
    async get(start, headers, { signal, expect = [] }) {
      let url = start;
      for (let hops = 0; hops <= mostRedirects; hops += 1) {
        const answer = await exchange(url, headers, signal);
        const location = headerOf(answer, 'location');
        if (answer.status === 200 || answer.status === 206 || expect.includes(answer.status)) return answer;
        discard(answer);
        if (!redirects.has(answer.status) || location === undefined || !URL.canParse(location, url.href)) {
          throw refusal(answer, url, advice);
        }
        const target = new URL(location, url);
        requireNoDowngrade(url, target);
        url = target;
      }
      throw new DeliveryError({
        code: 'STORAGE_FAILED',
        side: 'storage',
        message: `${publicUrl(start.href)} redirects more than ${mostRedirects} times.`,
        remedy: `Name the final address in '${advice.input}'.`,
      });
    },
  };
}
