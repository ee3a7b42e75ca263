import {
  createServer as createHttp,
  type IncomingMessage,
  request as requestPlain,
  type ServerResponse,
} from 'node:http';
import { createServer as createHttps, request as requestSecure } from 'node:https';
import type { AddressInfo, Socket } from 'node:net';
import { createSecureContext, type SecureContext } from 'node:tls';
import { type CertificateAuthority, createAuthority } from '../identity/authority.ts';

/** A request as the proxy saw it, inside of TLS. */
export interface SeenRequest {
  readonly method: string;
  readonly url: string;
  readonly userAgent: string;
  /** The client's own id of the request; empty without. */
  readonly requestId: string;
}

const idHeaders = ['x-ms-client-request-id', 'x-tfs-session', 'audit-id', 'x-request-id'];

export interface ProxySettings {
  readonly username: string;
  readonly password: string;
  /** Where each name (host, without port) really is, with scheme, host and port. No other is let through. */
  readonly hosts: Map<string, string>;
  /** PEM certificates by which servers behind are trusted. */
  readonly upstreamAuthorities: readonly string[];
}

/** An organisation's proxy: it asks for user and password, opens TLS by an authority of its own, and looks inside. */
export interface InspectingProxy {
  readonly url: string;
  /** PEM of the authority that agents behind this proxy have to trust. */
  readonly authority: string;
  readonly seen: readonly SeenRequest[];
  /** Requests that came without the right user and password. */
  readonly refused: readonly string[];
  close(): Promise<void>;
}

function answer407(target: Socket): void {
  target.end(
    'HTTP/1.1 407 Proxy Authentication Required\r\nproxy-authenticate: Basic realm="organisation"\r\ncontent-length: 0\r\n\r\n',
  );
}

/** Certificates for the names that are asked for, each made once. */
function contextsOf(authority: CertificateAuthority): (name: string) => Promise<SecureContext> {
  const made = new Map<string, Promise<SecureContext>>();
  const make = async (name: string): Promise<SecureContext> =>
    createSecureContext(await authority.issue(name));
  return (name) => {
    const context = made.get(name) ?? make(name);
    made.set(name, context);
    return context;
  };
}

/** Passes a request on to where its host really is. */
function passOn(
  settings: ProxySettings,
  incoming: IncomingMessage,
  outgoing: ServerResponse,
  url: URL,
): void {
  const home = settings.hosts.get(url.hostname);
  if (home === undefined) {
    outgoing.writeHead(502, { 'content-type': 'text/plain' }).end(`no way to ${url.host}`);
    return;
  }
  const target = new URL(home);
  const { 'proxy-authorization': _, 'proxy-connection': __, ...headers } = incoming.headers;
  const send = target.protocol === 'https:' ? requestSecure : requestPlain;
  const onward = send(
    {
      ...{ hostname: target.hostname, port: target.port, method: incoming.method, headers },
      path: `${url.pathname}${url.search}`,
      ca: [...settings.upstreamAuthorities],
      // The server behind is known by its address; its certificate need not have the name.
      checkServerIdentity: () => undefined,
    },
    (back) => {
      outgoing.writeHead(back.statusCode ?? 502, back.headers);
      outgoing.flushHeaders();
      back.pipe(outgoing);
    },
  );
  onward.on('error', () => outgoing.destroy());
  outgoing.on('close', () => onward.destroy());
  incoming.pipe(onward);
}

function isAdmitted(incoming: IncomingMessage, { username, password }: ProxySettings): boolean {
  const wanted = `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`;
  return incoming.headers['proxy-authorization'] === wanted;
}

/** Starts it on the loopback address; `settings.hosts` may grow while it runs. */
export async function startInspectingProxy(settings: ProxySettings): Promise<InspectingProxy> {
  const authority = await createAuthority('inspecting proxy');
  const contexts = contextsOf(authority);
  const seen: SeenRequest[] = [];
  const refused: string[] = [];
  const sockets = new Set<Socket>();
  const look = (incoming: IncomingMessage, outgoing: ServerResponse, url: URL): void => {
    const { method = '', headers } = incoming;
    const requestId = String(idHeaders.map((name) => headers[name]).find(Boolean) ?? '');
    seen.push({ method, url: url.href, userAgent: headers['user-agent'] ?? '', requestId });
    passOn(settings, incoming, outgoing, url);
  };
  const inner = createHttps(
    {
      SNICallback: (name, done) => {
        contexts(name).then((context) => done(null, context), done);
      },
    },
    (incoming, outgoing) => {
      const { host = 'unknown.invalid' } = incoming.headers;
      look(incoming, outgoing, new URL(`https://${host}${incoming.url ?? '/'}`));
    },
  );
  const front = createHttp((incoming, outgoing) => {
    if (isAdmitted(incoming, settings)) return look(incoming, outgoing, new URL(incoming.url ?? ''));
    refused.push(`${incoming.method} ${incoming.url}`);
    outgoing.writeHead(407, { 'proxy-authenticate': 'Basic realm="organisation"' }).end();
  });
  front.on('connect', (incoming: IncomingMessage, socket: Socket) => {
    sockets.add(socket);
    socket.on('error', () => socket.destroy());
    if (isAdmitted(incoming, settings)) {
      socket.write('HTTP/1.1 200 Connection established\r\n\r\n');
      inner.emit('connection', socket);
      return;
    }
    refused.push(`CONNECT ${incoming.url}`);
    answer407(socket);
  });
  await new Promise<void>((resolve) => front.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(front.address() as AddressInfo).port}`,
    authority: authority.certificate,
    seen,
    refused,
    close: () =>
      new Promise((resolve) => {
        for (const socket of sockets) socket.destroy();
        front.close(() => resolve());
        front.closeAllConnections();
      }),
  };
}
