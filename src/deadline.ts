/**
 * A signal that ends with `signal`, or after `ms` milliseconds with a TimeoutError. `AbortSignal.any` of an
 * `AbortSignal.timeout` says the same, but on Node 20 the collector may take the timeout away, and it never ends.
 * Source: https://nodejs.org/docs/latest-v20.x/api/globals.html#static-method-abortsignaltimeoutdelay
 */
export function within(ms: number, signal: AbortSignal): AbortSignal {
  if (signal.aborted) return signal;
  const ended = new AbortController();
  const cancel = (): void => {
    clearTimeout(timer);
    ended.abort(signal.reason);
  };
  const timer = setTimeout(() => {
    signal.removeEventListener('abort', cancel);
    ended.abort(new DOMException(`no end within ${ms} ms`, 'TimeoutError'));
  }, ms);
  timer.unref();
  signal.addEventListener('abort', cancel, { once: true });
  return ended.signal;
}
