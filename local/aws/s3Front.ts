import { createServer, type IncomingMessage, type ServerResponse, request as send } from 'node:http';
import type { AddressInfo } from 'node:net';
import { pipeline } from 'node:stream';
import type { S3Endpoint } from '../lib/endpoints.ts';
import type { Account, Session } from './account.ts';
import { allows } from './policy.ts';
import { AwsRefusal, escaped } from './refusal.ts';
import { ageOf, isSigned, parseAuthorization, type SignedRequest, sha256, signatureOf } from './signature.ts';

/** One request that was let through. */
export interface Admitted {
  readonly session: Session;
  /** For example `s3:GetObject`. */
  readonly action: string;
  readonly userAgent: string;
}

/** S3 for a role's sessions, in this process. */
export interface S3Front {
  readonly url: string;
  readonly region: string;
  /** Requests that were let through. */
  readonly admitted: readonly Admitted[];
  /** Codes of those that were not. */
  readonly refused: readonly string[];
  /** What an answer waits for. */
  hold: (admitted: Admitted) => Promise<void>;
  close(): Promise<void>;
}

type Headers = Record<string, string | undefined>;

function headersOf(request: IncomingMessage): Headers {
  const all = Object.entries(request.headers);
  return Object.fromEntries(
    all.map(([name, value]) => [name, Array.isArray(value) ? value.join(', ') : value]),
  );
}

/** Action and resource of a reading request. https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazons3.html */
function asked(request: SignedRequest): { readonly action: string; readonly resource: string } {
  const { pathname, searchParams: query } = new URL(request.target, 'http://s3');
  const [, bucket = '', ...key] = pathname.split('/');
  if (bucket === '') return { action: 's3:ListAllMyBuckets', resource: '*' };
  if (key.join('/') !== '') {
    const action = query.has('versionId') ? 's3:GetObjectVersion' : 's3:GetObject';
    return { action, resource: `arn:aws:s3:::${bucket}/${decodeURIComponent(key.join('/'))}` };
  }
  const action = query.has('versioning')
    ? 's3:GetBucketVersioning'
    : query.has('versions')
      ? 's3:ListBucketVersions'
      : 's3:ListBucket';
  return { action, resource: `arn:aws:s3:::${bucket}` };
}

function sessionOf(account: Account, accessKeyId: string, token: string | undefined): Session {
  const session = account.sessions.find((one) => one.accessKeyId === accessKeyId);
  if (session === undefined) {
    throw new AwsRefusal(
      'InvalidAccessKeyId',
      'The AWS Access Key Id you provided does not exist in our records.',
    );
  }
  if (token !== session.sessionToken) {
    throw new AwsRefusal('InvalidToken', 'The provided token is malformed or otherwise invalid.', 400);
  }
  if (Date.now() >= session.expires)
    throw new AwsRefusal('ExpiredToken', 'The provided token has expired.', 400);
  return session;
}

/** The session of a request, verified: key, token, end, signature, time, and the role's permission. */
function admit(account: Account, request: SignedRequest, region: string): Admitted {
  const authorization = parseAuthorization(request.headers['authorization']);
  if (authorization === undefined) throw new AwsRefusal('AccessDenied', 'Access Denied');
  const session = sessionOf(account, authorization.accessKeyId, request.headers['x-amz-security-token']);
  if (authorization.service !== 's3' || authorization.region !== region) {
    throw new AwsRefusal('AuthorizationHeaderMalformed', `the region is wrong; expecting '${region}'`, 400);
  }
  if (Math.abs(ageOf(request)) > 15 * 60_000) {
    throw new AwsRefusal(
      'RequestTimeTooSkewed',
      'The difference between the request time and the current time is too large.',
    );
  }
  if (!isSigned(request, authorization, session.secretAccessKey)) {
    throw new AwsRefusal(
      'SignatureDoesNotMatch',
      'The request signature we calculated does not match the signature you provided.',
    );
  }
  const { action, resource } = asked(request);
  if (allows(session.role.permissions, { action, resource }))
    return { session, action, userAgent: request.headers['user-agent'] ?? '' };
  throw new AwsRefusal(
    'AccessDenied',
    `User: ${session.arn} is not authorized to perform: ${action} on resource: "${resource}"`,
  );
}

/** The request's headers, signed anew with the service's own keys. */
function resigned(
  request: SignedRequest,
  { url, region, accessKeyId, secretAccessKey }: S3Endpoint,
): Headers {
  const now = new Date().toISOString().replace(/[-:]|\.\d{3}/g, '');
  const { authorization: _, 'x-amz-security-token': __, ...kept } = request.headers;
  const headers: Headers = { ...kept, host: new URL(url).host, 'x-amz-date': now };
  const signedHeaders = Object.keys(headers)
    .filter((name) => name === 'host' || name.startsWith('x-amz-'))
    .sort();
  const scope = { date: now.slice(0, 8), region, service: 's3', signedHeaders };
  const signature = signatureOf({ ...request, headers }, scope, secretAccessKey);
  const credential = `${accessKeyId}/${scope.date}/${region}/s3/aws4_request`;
  return {
    ...headers,
    authorization: `AWS4-HMAC-SHA256 Credential=${credential}, SignedHeaders=${signedHeaders.join(';')}, Signature=${signature}`,
  };
}

function forward(request: SignedRequest, s3: S3Endpoint, response: ServerResponse): void {
  const headers = Object.fromEntries(
    Object.entries(resigned(request, s3)).filter(([, value]) => value !== undefined),
  ) as Record<string, string>;
  send(`${s3.url}${request.target}`, { method: request.method, headers }, (answer) => {
    response.writeHead(answer.statusCode ?? 502, answer.headers);
    pipeline(answer, response, () => undefined);
  })
    .on('error', () => response.destroy())
    .end();
}

function refuse(response: ServerResponse, { status, code, message }: AwsRefusal): void {
  const xml = `<?xml version="1.0"?><Error><Code>${code}</Code><Message>${escaped(message)}</Message></Error>`;
  response.writeHead(status, { 'content-type': 'application/xml' }).end(xml);
}

/**
 * Reads of an S3 service by the sessions that the token service gave, since the Versity Gateway knows none: it verifies
 * each request as S3 does, and asks the gateway with its own keys. Nothing but GET and HEAD is let through.
 */
export async function startS3Front(account: Account, s3: S3Endpoint): Promise<S3Front> {
  const admitted: Admitted[] = [];
  const refused: string[] = [];
  const answer = async (incoming: IncomingMessage, response: ServerResponse): Promise<void> => {
    incoming.resume();
    const headers = headersOf(incoming);
    const request = {
      method: incoming.method ?? '',
      target: incoming.url ?? '/',
      headers,
      payload: headers['x-amz-content-sha256'] ?? sha256(''),
    };
    try {
      if (!/^(GET|HEAD)$/.test(request.method))
        throw new AwsRefusal('MethodNotAllowed', 'Only reads are.', 405);
      const one = admit(account, request, s3.region);
      admitted.push(one);
      await front.hold(one);
      forward(request, s3, response);
    } catch (error) {
      if (!(error instanceof AwsRefusal)) throw error;
      refused.push(error.code);
      refuse(response, error);
    }
  };
  const server = createServer((request, response) => {
    answer(request, response).catch((error: unknown) => response.destroy(error as Error));
  });
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
  const front: S3Front = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    region: s3.region,
    admitted,
    refused,
    hold: async () => undefined,
    close: async () => {
      server.closeAllConnections();
      await new Promise((closed) => server.close(closed));
    },
  };
  return front;
}
