import { setTimeout as sleep } from 'node:timers/promises';

/** What an attempt's error means for the next one. */
export interface RetryAdvice {
  readonly temporary: boolean;
  /** The wait that the server asked for by Retry-After, in milliseconds. */
  readonly afterMs?: number;
}

export interface RetryOptions {
  readonly attempts: number;
  readonly signal: AbortSignal;
  readonly advise: (error: unknown) => RetryAdvice;
  readonly onRetry?: (error: unknown, delayMs: number, attempt: number) => void;
  /** First wait in milliseconds; it doubles, with jitter, up to 30 s. */
  readonly baseDelayMs?: number;
}

const longestDelayMs = 30_000;

/** Runs `attempt` until it succeeds, fails for good, or has used its attempts; the last error is thrown. */
export async function retry<T>(attempt: () => Promise<T>, options: RetryOptions): Promise<T> {
  for (let count = 1; ; count += 1) {
    options.signal.throwIfAborted();
    try {
      return await attempt();
    } catch (error) {
      const advice = options.advise(error);
      if (!advice.temporary || count >= options.attempts || options.signal.aborted) throw error;
      const backoff = Math.min((options.baseDelayMs ?? 500) * 2 ** (count - 1), longestDelayMs);
      const delayMs = advice.afterMs ?? Math.round(backoff * (0.75 + Math.random() / 2));
      options.onRetry?.(error, delayMs, count);
      await sleep(delayMs, undefined, { signal: options.signal });
    }
  }
}

/** Milliseconds that a Retry-After header asks for (seconds or a date); RFC 9110, section 10.2.3. */
export function parseRetryAfter(header: string | undefined, now = Date.now()): number | undefined {
  if (header === undefined || header.trim() === '') return undefined;
  const seconds = Number(header);
  if (Number.isFinite(seconds)) return Math.min(Math.max(seconds * 1000, 0), 120_000);
  const date = Date.parse(header);
  return Number.isNaN(date) ? undefined : Math.min(Math.max(date - now, 0), 120_000);
}

/** Statuses that another attempt may not see again. */
export function isTemporaryStatus(status: number): boolean {
  return (
    status === 408 || status === 429 || status === 500 || status === 502 || status === 503 || status === 504
  );
}

const temporaryCodes = new Set([
  'ECONNRESET',
  'ECONNREFUSED',
  'ECONNABORTED',
  'EPIPE',
  'ETIMEDOUT',
  'EAI_AGAIN',
  'UND_ERR_SOCKET',
  'UND_ERR_CONNECT_TIMEOUT',
  'UND_ERR_HEADERS_TIMEOUT',
  'UND_ERR_BODY_TIMEOUT',
]);

/** True for a broken or refused connection, which another attempt may not meet. */
export function isTemporaryNetworkError(error: unknown): boolean {
  for (
    let current = error, depth = 0;
    current instanceof Error && depth < 5;
    current = current.cause, depth += 1
  ) {
    const code = 'code' in current ? current.code : undefined;
    if (typeof code === 'string' && temporaryCodes.has(code)) return true;
    if (current instanceof AggregateError && current.errors.some(isTemporaryNetworkError)) return true;
  }
  return false;
}
