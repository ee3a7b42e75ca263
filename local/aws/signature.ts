import { createHash, createHmac, timingSafeEqual } from 'node:crypto';

/** What a signature covers. */
export interface SignedRequest {
  readonly method: string;
  /** Path and query as they were sent. */
  readonly target: string;
  /** By lower-case name. */
  readonly headers: Readonly<Record<string, string | undefined>>;
  /** SHA-256 of the body, hexadecimal, or what stands for it (`UNSIGNED-PAYLOAD`). */
  readonly payload: string;
}

/** An Authorization header of Signature Version 4, taken apart. */
export interface Authorization {
  readonly accessKeyId: string;
  readonly date: string;
  readonly region: string;
  readonly service: string;
  readonly signedHeaders: readonly string[];
  readonly signature: string;
}

/** SHA-256, hexadecimal. */
export function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}

function hmac(key: string | Buffer, text: string): Buffer {
  return createHmac('sha256', key).update(text).digest();
}

function encoded(text: string): string {
  return encodeURIComponent(text).replace(
    /[!'()*]/g,
    (sign) => `%${sign.charCodeAt(0).toString(16).toUpperCase()}`,
  );
}

function canonicalQuery(query: string): string {
  const pairs = [...new URLSearchParams(query)].map(([name, value]) => `${encoded(name)}=${encoded(value)}`);
  return pairs.sort((a, b) => (a < b ? -1 : 1)).join('&');
}

function canonicalRequest(
  request: SignedRequest,
  { signedHeaders }: Pick<Authorization, 'signedHeaders'>,
): string {
  const [path = '/', query = ''] = request.target.split('?', 2);
  const lines = signedHeaders.map(
    (name) => `${name}:${(request.headers[name] ?? '').trim().replace(/ +/g, ' ')}\n`,
  );
  return [
    request.method,
    path,
    canonicalQuery(query),
    lines.join(''),
    signedHeaders.join(';'),
    request.payload,
  ].join('\n');
}

/** The header's parts; undefined where it is not of Signature Version 4. */
export function parseAuthorization(header: string | undefined): Authorization | undefined {
  const pattern =
    /^AWS4-HMAC-SHA256 Credential=([^/,]+)\/(\d{8})\/([^/,]+)\/([^/,]+)\/aws4_request, ?SignedHeaders=([^,]+), ?Signature=([0-9a-f]{64})$/;
  const [, accessKeyId, date, region, service, names, signature] = pattern.exec(header ?? '') ?? [];
  if (!accessKeyId || !date || !region || !service || !names || !signature) return undefined;
  return { accessKeyId, date, region, service, signedHeaders: names.split(';'), signature };
}

type Scope = Omit<Authorization, 'accessKeyId' | 'signature'>;

/** https://docs.aws.amazon.com/IAM/latest/UserGuide/create-signed-request.html, for S3: the path is encoded once. */
export function signatureOf(request: SignedRequest, scope: Scope, secret: string): string {
  const { date, region, service } = scope;
  const text = [
    'AWS4-HMAC-SHA256',
    request.headers['x-amz-date'] ?? '',
    `${date}/${region}/${service}/aws4_request`,
    sha256(canonicalRequest(request, scope)),
  ].join('\n');
  const key = [date, region, service, 'aws4_request'].reduce<string | Buffer>(hmac, `AWS4${secret}`);
  return hmac(key, text).toString('hex');
}

/** True when the request was signed with this secret, and nothing that matters was left out of it. */
export function isSigned(request: SignedRequest, authorization: Authorization, secret: string): boolean {
  const { signedHeaders, date, signature } = authorization;
  const must = Object.keys(request.headers).filter((name) => name === 'host' || name.startsWith('x-amz-'));
  if (must.some((name) => !signedHeaders.includes(name))) return false;
  if (!(request.headers['x-amz-date'] ?? '').startsWith(date)) return false;
  return timingSafeEqual(Buffer.from(signatureOf(request, authorization, secret)), Buffer.from(signature));
}

/** Milliseconds between the request's time and now; infinite where it has none. */
export function ageOf({ headers }: Pick<SignedRequest, 'headers'>): number {
  const parts = /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/.exec(headers['x-amz-date'] ?? '')?.slice(1);
  if (parts === undefined) return Number.POSITIVE_INFINITY;
  const [year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0] = parts.map(Number);
  return Date.now() - Date.UTC(year, month - 1, day, hour, minute, second);
}
