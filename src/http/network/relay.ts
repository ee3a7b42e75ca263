import { randomBytes, timingSafeEqual } from 'node:crypto';
import { createServer, type IncomingMessage, request, type ServerResponse } from 'node:http';
import { type AddressInfo, connect, type Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import type { Network } from './settings.ts';
import { openTunnel } from './tunnel.ts';

/** A proxy for child processes, on this machine and for the life of this process. */
export interface Relay {
  /** With a user and a password that open nothing else. */
  readonly url: string;
  close(): void;
}

function isAdmitted(header: string | undefined, wanted: string): boolean {
  const [given, expected] = [Buffer.from(header ?? ''), Buffer.from(wanted)];
  return given.length === expected.length && timingSafeEqual(given, expected);
}

async function reach(network: Network, target: string): Promise<Socket> {
  const url = new URL(`https://${target}`);
  const proxy = network.proxyFor(url);
  if (proxy !== undefined) return openTunnel(proxy, target, network.trust);
  const socket = connect(Number(url.port || 443), url.hostname.replace(/^\[|\]$/g, ''));
  return new Promise((resolve, reject) => {
    socket.once('connect', () => resolve(socket)).once('error', reject);
  });
}

function join(near: Duplex, far: Socket, first: Buffer): void {
  far.write(first);
  near.pipe(far).pipe(near);
  near.on('error', () => far.destroy()).on('close', () => far.destroy());
  far.on('error', () => near.destroy()).on('close', () => near.destroy());
}

/** A plain http request goes on by Node's agents, which know the network. */
function forward(incoming: IncomingMessage, answer: ServerResponse): void {
  const { 'proxy-authorization': _, 'proxy-connection': __, connection: ___, ...headers } = incoming.headers;
  const fail = (): void => void answer.writeHead(502).end();
  const { url = '' } = incoming;
  const outgoing = request(
    URL.canParse(url) ? url : 'http://invalid.invalid',
    { method: incoming.method, headers },
    (far) => {
      answer.writeHead(far.statusCode ?? 502, far.headers);
      far.pipe(answer);
    },
  );
  outgoing.once('error', fail);
  incoming.pipe(outgoing);
}

/**
 * Opens it. Child processes are given its address instead of the real proxy's: so the proxy's password is in no
 * environment and no command line, and the agent's bypass list holds for them too.
 */
export async function openRelay(network: Network): Promise<Relay> {
  const password = randomBytes(24).toString('hex');
  const wanted = `Basic ${Buffer.from(`task:${password}`).toString('base64')}`;
  const server = createServer((incoming, answer) => {
    if (isAdmitted(incoming.headers['proxy-authorization'], wanted)) return forward(incoming, answer);
    answer.writeHead(407, { 'proxy-authenticate': 'Basic realm="task"' }).end();
  });
  server.on('connect', (incoming: IncomingMessage, near: Duplex, first: Buffer) => {
    near.on('error', () => near.destroy());
    if (!isAdmitted(incoming.headers['proxy-authorization'], wanted)) {
      near.end(
        'HTTP/1.1 407 Proxy Authentication Required\r\nproxy-authenticate: Basic realm="task"\r\n\r\n',
      );
      return;
    }
    reach(network, incoming.url ?? '').then(
      (far) => {
        near.write('HTTP/1.1 200 Connection established\r\n\r\n');
        join(near, far, first);
      },
      () => near.end('HTTP/1.1 502 Bad Gateway\r\n\r\n'),
    );
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject).listen(0, '127.0.0.1', resolve);
  });
  server.unref();
  const { port } = server.address() as AddressInfo;
  return { url: `http://task:${password}@127.0.0.1:${port}`, close: () => server.close() };
}
