import { randomUUID } from 'node:crypto';
import { createServer as createHttp, type IncomingMessage, type ServerResponse } from 'node:http';
import { createServer as createHttps } from 'node:https';
import type { AddressInfo } from 'node:net';
import type { ServerCertificate } from './authority.ts';

/** A request as a double sees it. */
export interface Asked {
  readonly method: string;
  readonly url: URL;
  readonly headers: Readonly<Record<string, string | undefined>>;
  readonly text: string;
  readonly form: URLSearchParams;
}

export type Answer = {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
} & ({ readonly json: unknown } | { readonly xml: string });

/** A request and its answer as both sides' logs would have them. */
export interface Exchange {
  readonly userAgent: string | undefined;
  /** The id that the client gave it. */
  readonly sent: string | undefined;
  readonly status: number;
  /** Headers of the answer, ids of the service's own among them. */
  readonly answered: Readonly<Record<string, string>>;
}

export interface RunningServer {
  /** Scheme, host and port. */
  readonly url: string;
  /** Every request so far: method and path with query, for assertions. */
  readonly requests: readonly string[];
  /** Every answer so far, but for what was passed on. */
  readonly exchanges: readonly Exchange[];
  close(): Promise<void>;
}

/** Entra takes the id from the form, Azure DevOps its clients' session, the others this header. */
function exchangeOf({ headers, form }: Asked, { status, headers: answered }: Numbered): Exchange {
  const own = headers['x-ms-client-request-id'] ?? headers['x-tfs-session'];
  return {
    ...{ userAgent: headers['user-agent'], status, answered },
    sent: form.get('client-request-id') ?? own,
  };
}

/** Handles a request itself; true when it did. */
export type Passing = (request: IncomingMessage, response: ServerResponse) => boolean;

async function readText(request: IncomingMessage): Promise<string> {
  const parts: Buffer[] = [];
  for await (const part of request) parts.push(part as Buffer);
  return Buffer.concat(parts).toString('utf8');
}

/** `base` says the scheme; the host is the one that was asked for, as behind a proxy that knows other names. */
async function asked(request: IncomingMessage, base: string): Promise<Asked> {
  const text = await readText(request);
  const headers = Object.fromEntries(
    Object.entries(request.headers).map(([name, value]) => [
      name,
      Array.isArray(value) ? value.join(', ') : value,
    ]),
  );
  return {
    method: request.method ?? 'GET',
    // Not by two arguments: a path of two slashes would be taken for a host.
    url: new URL(
      `${new URL(base).protocol}//${request.headers.host ?? new URL(base).host}${request.url ?? '/'}`,
    ),
    headers,
    text,
    form: new URLSearchParams(text),
  };
}

function write(response: ServerResponse, answer: Answer): void {
  const [type, text] =
    'xml' in answer
      ? (['text/xml', answer.xml] as const)
      : (['application/json; charset=utf-8', JSON.stringify(answer.json)] as const);
  response.writeHead(answer.status, { 'content-type': type, ...answer.headers });
  response.end(text);
}

type Numbered = Answer & Required<Pick<Answer, 'headers'>>;

/** The answer with an id of its own, as every service of Azure gives one. */
function numbered(answer: Answer): Numbered {
  return { ...answer, headers: { 'x-ms-request-id': randomUUID(), ...answer.headers } };
}

/**
 * A small server on a free loopback port; HTTPS with a certificate. What `passing` does not take, `answer` gets
 * with its body read.
 */
export async function startServer(
  answer: (request: Asked) => Promise<Answer>,
  certificate?: ServerCertificate,
  passing: Passing = () => false,
): Promise<RunningServer> {
  const requests: string[] = [];
  const exchanges: Exchange[] = [];
  let base = '';
  const handle = (request: IncomingMessage, response: ServerResponse): void => {
    requests.push(`${request.method} ${request.url}`);
    if (passing(request, response)) return;
    asked(request, base)
      .then(async (question) => {
        const given = numbered(await answer(question));
        exchanges.push(exchangeOf(question, given));
        write(response, given);
      })
      .catch((error: unknown) =>
        write(response, { status: 500, json: { error: 'double_failed', error_description: String(error) } }),
      );
  };
  const server = certificate === undefined ? createHttp(handle) : createHttps({ ...certificate }, handle);
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(0, '127.0.0.1', resolve);
  });
  base = `${certificate === undefined ? 'http' : 'https'}://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return {
    url: base,
    requests,
    exchanges,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
