import { DeliveryError } from '../errors.ts';

/** What a registry lets a user in with. */
export interface Credentials {
  readonly username: string;
  readonly password: string;
}

/** One demand of a WWW-Authenticate header. */
export interface Challenge {
  readonly scheme: 'basic' | 'bearer';
  readonly parameters: Readonly<Record<string, string>>;
}

/** The challenges of WWW-Authenticate that are understood here; RFC 9110, section 11.6.1. */
export function parseChallenges(header: string | readonly string[] | undefined): readonly Challenge[] {
  const text = typeof header === 'string' ? header : (header ?? []).join(', ');
  const starts = [...text.matchAll(/(?:^|,\s*)(basic|bearer)(?:\s+|$)/gi)];
  return starts.map((start, position) => {
    const body = text.slice(start.index + start[0].length, starts[position + 1]?.index);
    const pairs = [...body.matchAll(/([\w-]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,]+))/g)].map((pair) => [
      (pair[1] ?? '').toLowerCase(),
      (pair[2] ?? pair[3] ?? '').replace(/\\(.)/g, '$1'),
    ]);
    return {
      scheme: start[1]?.toLowerCase() === 'basic' ? 'basic' : 'bearer',
      parameters: Object.fromEntries(pairs) as Record<string, string>,
    };
  });
}

/** Asks the token service; the answer's JSON document. */
export type FetchToken = (url: URL, authorization: string | undefined) => Promise<unknown>;

/** Knows the Authorization header for each scope, and answers a registry's challenges. */
export interface Authorizer {
  /** The header to send at once, where an earlier challenge has taught it. */
  known(scope: string): string | undefined;
  /**
   * A new header for a 401's challenges; undefined where there is none to give.
   * `refused` is the header that the registry did not accept.
   */
  answer(
    header: string | readonly string[] | undefined,
    scope: string,
    refused: string | undefined,
  ): Promise<string | undefined>;
}

interface Token {
  readonly value: string;
  readonly expiresAtMs: number;
}

function headerOf({ value }: Token): string {
  return `Bearer ${value}`;
}

/** Renewed this long before its end, so that a request that just starts is not refused. */
const renewBeforeMs = 10_000;

function basicHeader(credentials: Credentials): string {
  const pair = `${credentials.username}:${credentials.password}`;
  return `Basic ${Buffer.from(pair, 'utf8').toString('base64')}`;
}

/** The token in a token service's answer; 60 s where it names no life time. */
function readToken(document: unknown, now: number): Token | undefined {
  if (typeof document !== 'object' || document === null) return undefined;
  const fields = document as Record<string, unknown>;
  const token = fields['token'] ?? fields['access_token'];
  if (typeof token !== 'string' || token === '') return undefined;
  const seconds = Number(fields['expires_in'] ?? 60);
  const life = Number.isFinite(seconds) ? Math.max(seconds, 60) : 60;
  return { value: token, expiresAtMs: now + life * 1000 - renewBeforeMs };
}

/** The token service's address, which gets the credentials: never unencrypted when the registry is encrypted. */
function tokenUrl(challenge: Challenge, scope: string, registry: URL): URL {
  const realm = challenge.parameters['realm'] ?? '';
  if (!URL.canParse(realm) || (registry.protocol === 'https:' && new URL(realm).protocol !== 'https:')) {
    throw new DeliveryError({
      code: 'REGISTRY_TOKEN_SERVICE_UNSAFE',
      side: 'registry',
      message: `The registry ${registry.origin} asks for credentials to be sent to '${realm}', which is no https address.`,
      remedy: "Correct the token service's address (realm) in the registry's configuration.",
    });
  }
  const url = new URL(realm);
  if (challenge.parameters['service'] !== undefined) {
    url.searchParams.set('service', challenge.parameters['service']);
  }
  for (const part of scope.split(' ').filter((text) => text !== '')) url.searchParams.append('scope', part);
  return url;
}

/**
 * Basic authentication and bearer tokens; each only after the registry asked for it. `secret` learns each token before
 * its first use.
 * https://distribution.github.io/distribution/spec/auth/token/
 */
export function createAuthorizer(
  registry: URL,
  credentials: Credentials | undefined,
  fetchToken: FetchToken,
  secret: (value: string) => void = () => undefined,
): Authorizer {
  const basic = credentials === undefined ? undefined : basicHeader(credentials);
  const tokens = new Map<string, Token>();
  const pending = new Map<string, Promise<string | undefined>>();
  let wantsBasic = false;

  const requestToken = async (challenge: Challenge, scope: string): Promise<string | undefined> => {
    const wanted = scope || (challenge.parameters['scope'] ?? '');
    const document = await fetchToken(tokenUrl(challenge, wanted, registry), basic);
    const token = readToken(document, Date.now());
    if (token === undefined) return undefined;
    secret(token.value);
    tokens.set(scope, token);
    return headerOf(token);
  };

  const bearer = (challenge: Challenge, scope: string): Promise<string | undefined> => {
    const running = pending.get(scope);
    if (running !== undefined) return running;
    const started = requestToken(challenge, scope).finally(() => pending.delete(scope));
    pending.set(scope, started);
    return started;
  };

  const known = (scope: string): string | undefined => {
    const token = tokens.get(scope);
    if (token !== undefined && token.expiresAtMs > Date.now()) return headerOf(token);
    return wantsBasic ? basic : undefined;
  };

  return {
    known,
    async answer(header, scope, refused) {
      // Another request may have renewed the token while this one was on its way.
      const renewed = known(scope);
      if (renewed !== undefined && renewed !== refused) return renewed;
      tokens.delete(scope);
      const challenges = parseChallenges(header);
      const challenge = challenges.find((one) => one.scheme === 'bearer');
      if (challenge !== undefined) return await bearer(challenge, scope);
      wantsBasic = challenges.some((one) => one.scheme === 'basic');
      return wantsBasic && refused !== basic ? basic : undefined;
    },
  };
}
