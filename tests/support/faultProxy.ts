import {
  type ClientRequest,
  createServer,
  type IncomingMessage,
  request,
  type ServerResponse,
} from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

/** What the proxy does to one exchange instead of passing it on unchanged. */
export type Fault =
  /** The connection is reset after this many bytes of the body; below 0 the whole answer is lost. */
  | { readonly kind: 'reset'; readonly afterBytes: number }
  /** The connection is ended in order after this many bytes of the body, which was announced as longer. */
  | { readonly kind: 'truncate'; readonly afterBytes: number }
  /** The connection is reset after this many bytes of the request's body; they reach the server. */
  | { readonly kind: 'cut'; readonly afterBytes: number }
  /** One bit of the body's byte at this position is wrong. */
  | { readonly kind: 'flip'; readonly at: number }
  /** An answer of the proxy's own. */
  | {
      readonly kind: 'status';
      readonly status: number;
      readonly headers?: Record<string, string>;
      readonly body?: string;
    }
  /** Nothing comes after this many bytes of the body, and the connection stays open. */
  | { readonly kind: 'silence'; readonly afterBytes: number }
  /** The body comes in pieces with this pause after each. */
  | { readonly kind: 'slow'; readonly pauseMs: number };

/** A request as the rule sees it. */
export interface SeenRequest {
  readonly method: string;
  /** Decoded path, without query. */
  readonly path: string;
  readonly query: URLSearchParams;
  readonly headers: IncomingMessage['headers'];
}

export type FaultRule = (seen: SeenRequest) => Fault | undefined | Promise<Fault | undefined>;

export interface FaultProxy {
  /** The upstream's URL with the proxy's address. */
  readonly url: string;
  /** Every request, in the order of arrival. */
  readonly seen: SeenRequest[];
  /** Body bytes passed to clients. */
  readonly bytes: () => number;
}

type Break = Extract<Fault, { readonly kind: 'reset' | 'truncate' | 'silence' }>;

function isBreak(fault: Fault | undefined): fault is Break {
  return fault?.kind === 'reset' || fault?.kind === 'truncate' || fault?.kind === 'silence';
}

async function breakOff(fault: Break, answer: IncomingMessage, response: ServerResponse): Promise<void> {
  // The bytes before the fault must arrive: a reset throws away what is still in the socket.
  await sleep(50);
  if (fault.kind === 'reset') response.socket?.resetAndDestroy();
  else if (fault.kind === 'truncate') response.socket?.end();
  else answer.destroy();
}

async function sendBody(
  answer: IncomingMessage,
  response: ServerResponse,
  fault: Fault | undefined,
): Promise<number> {
  let sent = 0;
  for await (const piece of answer as AsyncIterable<Buffer>) {
    if (fault?.kind === 'flip' && fault.at >= sent && fault.at < sent + piece.length) {
      piece.writeUInt8(piece.readUInt8(fault.at - sent) ^ 1, fault.at - sent);
    }
    if (isBreak(fault) && sent + piece.length > fault.afterBytes) {
      response.write(piece.subarray(0, fault.afterBytes - sent));
      await breakOff(fault, answer, response);
      return fault.afterBytes;
    }
    sent += piece.length;
    if (!response.write(piece)) {
      await writable(response);
    }
    if (fault?.kind === 'slow') await sleep(fault.pauseMs);
    if (response.destroyed) return sent;
  }
  response.end();
  return sent;
}

/** Resolves when the client has taken what was written, or is gone. */
function writable(response: ServerResponse): Promise<void> {
  return new Promise((resolve) => {
    const settle = (): void => {
      response.off('drain', settle).off('close', settle);
      resolve();
    };
    response.on('drain', settle).on('close', settle);
  });
}

/** Passes the beginning of a request on, then breaks both connections. */
async function cutRequest(
  incoming: IncomingMessage,
  passed: ClientRequest,
  afterBytes: number,
): Promise<void> {
  let left = afterBytes;
  for await (const piece of incoming as AsyncIterable<Buffer>) {
    passed.write(piece.subarray(0, left));
    left -= piece.length;
    if (left <= 0) break;
  }
  // What was written must arrive: destroying throws away what is still in the socket.
  await sleep(100);
  passed.destroy();
  incoming.socket.resetAndDestroy();
}

/** A proxy before a real server for the time of `use`; the rule decides what happens to each exchange. */
export async function withFaultProxy<T>(
  upstream: string,
  rule: FaultRule,
  use: (proxy: FaultProxy) => Promise<T>,
): Promise<T> {
  const target = new URL(upstream);
  const seen: SeenRequest[] = [];
  let bytes = 0;

  const handle = async (incoming: IncomingMessage, response: ServerResponse): Promise<void> => {
    const url = new URL(incoming.url ?? '/', target);
    const { method = 'GET', headers } = incoming;
    const exchange = { method, path: decodeURIComponent(url.pathname), query: url.searchParams, headers };
    seen.push(exchange);
    const fault = await rule(exchange);
    if (fault?.kind === 'status') {
      incoming.resume();
      const body = fault.body ?? '';
      const length = { 'content-length': String(Buffer.byteLength(body)) };
      response.writeHead(fault.status, { ...fault.headers, ...length }).end(body);
      return;
    }
    const passed = request({ host: target.hostname, port: target.port, method, path: incoming.url, headers });
    passed.on('error', () => response.destroy());
    passed.on('response', (answer) => {
      if (fault?.kind === 'reset' && fault.afterBytes < 0) return void response.socket?.resetAndDestroy();
      response.writeHead(answer.statusCode ?? 502, answer.headers);
      sendBody(answer, response, fault).then(
        (sent) => {
          bytes += sent;
        },
        () => response.destroy(),
      );
    });
    response.on('close', () => passed.destroy());
    if (fault?.kind === 'cut') await cutRequest(incoming, passed, fault.afterBytes).catch(() => undefined);
    else incoming.pipe(passed);
  };

  const server = createServer((incoming, response) => void handle(incoming, response));
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
  const { port } = server.address() as AddressInfo;
  try {
    const url = `http://127.0.0.1:${port}${target.pathname.replace(/\/$/, '')}`;
    return await use({ url, seen, bytes: () => bytes });
  } finally {
    server.closeAllConnections();
    await new Promise((done) => server.close(done));
  }
}
