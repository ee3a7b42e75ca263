import type { ConnectionOptions } from 'node:tls';
import { type Connection, openConnection, type Taker } from './connection.ts';

/** A GET as it goes over the wire. */
export interface DirectRequest {
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
}

/** GET for bulk data, without a copy and with hardly an allocation a byte. It follows no redirect. */
export interface DirectClient {
  /**
   * Asks, and hands the body's bytes to the taker. Throws UnsuitableAnswer for what the taker does not want, and the
   * socket's error for a broken, silent or refused connection; an abort of the signal breaks all of the client's.
   */
  get(request: DirectRequest, taker: Taker, signal: AbortSignal): Promise<void>;
  close(): void;
}

export interface DirectOptions {
  /** Milliseconds without a byte after which a connection is given up. */
  readonly stallMs: number;
  /** Authorities and the like, for https. */
  readonly tls?: ConnectionOptions;
}

/** Large enough that a read seldom leaves anything in the socket, small enough for the processor's cache. */
const bufferBytes = 512 * 1024;

/** The request's text. Header values come from services and inputs: none may become a second header. */
function textOf({ url, headers }: DirectRequest): { origin: URL; text: string } {
  const origin = new URL(url);
  const given = {
    host: origin.host,
    'accept-encoding': 'identity',
    ...headers,
  };
  const lines = Object.entries(given).map(([name, value]) => `${name}: ${value}`);
  for (const line of lines) {
    // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is looked for
    if (/[\u0000-\u0008\u000a-\u001f\u007f]|[^\u0000-\u00ff]/.test(line))
      throw new TypeError('a header is not plain text');
  }
  return { origin, text: `GET ${origin.pathname}${origin.search} HTTP/1.1\r\n${lines.join('\r\n')}\r\n\r\n` };
}

/** A client with connections of its own; close it when the transfer has ended. */
export function createDirectClient({ stallMs, tls = {} }: DirectOptions): DirectClient {
  const buffer = Buffer.allocUnsafeSlow(bufferBytes);
  const idle = new Map<string, Connection[]>();
  const busy = new Set<Connection>();
  const signals = new Set<AbortSignal>();
  const everyone = (): Connection[] => [...busy, ...[...idle.values()].flat()];
  const closeAll = (reason: Error): void => {
    for (const connection of everyone()) connection.destroy(reason);
    idle.clear();
  };
  const cancel = (): void => closeAll(new Error('cancelled'));
  const watch = setInterval(() => {
    const oldest = performance.now() - stallMs;
    for (const connection of busy) {
      if (connection.heard < oldest) connection.destroy(new Error(`no byte came for ${stallMs / 1000} s`));
    }
  }, stallMs / 4);
  watch.unref();

  const once = async (connection: Connection, origin: string, text: string, taker: Taker): Promise<void> => {
    busy.add(connection);
    try {
      const reusable = await connection.exchange(text, taker);
      if (reusable) idle.set(origin, [...(idle.get(origin) ?? []), connection]);
      else connection.destroy(new Error('the server does not keep the connection'));
    } finally {
      busy.delete(connection);
    }
  };
  return {
    async get(request, taker, signal) {
      signal.throwIfAborted();
      if (!signals.has(signal)) {
        signals.add(signal);
        signal.addEventListener('abort', cancel);
      }
      const { origin, text } = textOf(request);
      for (
        let kept = idle.get(origin.origin)?.pop();
        kept !== undefined;
        kept = idle.get(origin.origin)?.pop()
      ) {
        if (kept.closed) continue;
        try {
          return await once(kept, origin.origin, text, taker);
        } catch (error) {
          // A server may close a kept connection at any time; then nothing was lost, and a new one does.
          if (kept.answered || signal.aborted) throw error;
        }
      }
      await once(openConnection(origin, tls, buffer), origin.origin, text, taker);
    },
    close() {
      clearInterval(watch);
      for (const signal of signals) signal.removeEventListener('abort', cancel);
      closeAll(new Error('closed'));
    },
  };
}
