import { connect, isIP, type OnReadOpts, type Socket } from 'node:net';
import { type ConnectionOptions, connect as connectTls } from 'node:tls';
import { type AnswerHead, createHeadReader, plainLength } from './head.ts';

/** The server's answer is not one that can be taken here; the connection is of no further use. */
export class UnsuitableAnswer extends Error {
  readonly head: AnswerHead | undefined;

  constructor(head: AnswerHead | undefined) {
    super(head === undefined ? 'not an answer of HTTP/1.1' : `HTTP ${head.status}`);
    this.head = head;
  }
}

/** What is done with one answer. */
export interface Taker {
  /** Whether the body of this answer is wanted. */
  readonly wants: (head: AnswerHead, length: number) => boolean;
  /** Takes the next bytes; they are overwritten when it returns. */
  readonly body: (bytes: Buffer) => void;
}

/** One kept-alive connection to an origin; it has one exchange at a time. */
export interface Connection {
  /** Sends a request and takes the answer's body. True when the connection can be used again. */
  exchange(request: string, taker: Taker): Promise<boolean>;
  destroy(reason: Error): void;
  /** When anything was last heard or asked, as `performance.now()` counts. */
  readonly heard: number;
  /** Bytes of the present exchange came. */
  readonly answered: boolean;
  readonly closed: boolean;
}

interface Exchange extends Taker {
  readonly resolve: (reusable: boolean) => void;
  readonly reject: (error: Error) => void;
}

function openSocket(origin: URL, tls: ConnectionOptions, onread: OnReadOpts): Socket {
  const host = origin.hostname.replace(/^\[|\]$/g, '');
  const secure = origin.protocol === 'https:';
  const port = Number(origin.port) || (secure ? 443 : 80);
  const options = { host, port, noDelay: true, onread };
  if (!secure) return connect(options);
  const name = isIP(host) === 0 ? { servername: host } : {};
  return connectTls({ ...tls, ...options, ...name, ALPNProtocols: ['http/1.1'] });
}

/**
 * Opens a connection. Bytes are read into `buffer`, which all connections of a thread may share: they are handed
 * out before the next read. That spares an allocation and a copy a read, most of what receiving costs otherwise.
 */
export function openConnection(origin: URL, tls: ConnectionOptions, buffer: Buffer): Connection {
  let exchange: Exchange | undefined;
  const headReader = createHeadReader();
  let left: number | undefined;
  let reusable = true;
  let heard = performance.now();
  let answered = false;

  const end = (error?: Error): void => {
    const ended = exchange;
    exchange = undefined;
    if (error === undefined) {
      ended?.resolve(reusable);
    } else {
      socket.destroy();
      ended?.reject(error);
    }
  };
  const accept = (parsed: AnswerHead | undefined): void => {
    const length = parsed === undefined ? undefined : plainLength(parsed);
    if (parsed === undefined || length === undefined || !exchange?.wants(parsed, length)) {
      throw new UnsuitableAnswer(parsed);
    }
    reusable = parsed.headers.get('connection')?.toLowerCase() !== 'close';
    left = length;
  };
  /** The body's first bytes, once the head is whole. */
  const readHead = (bytes: Buffer): Buffer | undefined => {
    const found = headReader.read(bytes);
    if (found === undefined) return undefined;
    // Interim answers say nothing yet. RFC 9110, section 15.2.
    if (found.head !== undefined && found.head.status < 200) return readHead(found.rest);
    accept(found.head);
    return found.rest;
  };
  const receive = (bytes: Buffer): void => {
    heard = performance.now();
    answered = true;
    // Nobody asked, or more came than was said: what follows cannot be told apart any more.
    if (exchange === undefined) throw new Error('the server sent what was not asked for');
    const body = left === undefined ? readHead(bytes) : bytes;
    if (body === undefined || left === undefined) return;
    if (body.length > left) throw new Error('the server sent more than it said');
    left -= body.length;
    if (body.length > 0) exchange.body(body);
    if (left === 0) end();
  };
  const socket = openSocket(origin, tls, {
    buffer,
    callback: (count) => {
      try {
        receive(buffer.subarray(0, count));
      } catch (error) {
        end(error instanceof Error ? error : new Error(String(error)));
      }
      return true;
    },
  });
  socket.on('error', end).on('close', () => end(new Error('the server closed the connection')));
  // Without it nobody would notice the end of the stream: no byte ever passes the stream's own buffer.
  socket.resume();

  return {
    exchange: (request, taker) =>
      new Promise((resolve, reject) => {
        exchange = { ...taker, resolve, reject };
        left = undefined;
        heard = performance.now();
        answered = false;
        socket.write(request, 'latin1');
      }),
    destroy: end,
    get heard() {
      return heard;
    },
    get answered() {
      return answered;
    },
    get closed() {
      return socket.destroyed;
    },
  };
}
