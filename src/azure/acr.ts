import { DeliveryError } from '../errors.ts';
import type { FetchToken } from '../oci/auth.ts';
import { acrRefused } from './acrRefused.ts';
import { checkGranted, expiryOf } from './acrToken.ts';
import type { AzureConnection } from './connection.ts';
import { type AzureAnswer, createSend, fieldsOf, type SendAzure } from './http.ts';
import { type Identity, type Network, type SignInHost, scopeFor } from './signIn.ts';

/** One Azure container registry and who asks there. */
export interface AcrAccess {
  /** Scheme and host of the login server. */
  readonly registryUrl: string;
  readonly connection: AzureConnection;
  readonly identity: Identity;
  readonly host: SignInHost;
  readonly network?: Network;
}

/** Milliseconds of each second of a refresh token's life in which it is used again: two thirds. */
const keptMs = 667;

interface KeptToken {
  readonly token: string;
  /** Milliseconds since 1970. */
  readonly until: number;
}

/** User name that goes with a refresh token wherever a password is asked for. https://aka.ms/acr/login */
export const refreshTokenUser = '00000000-0000-0000-0000-000000000000';

/** The registry's side of a sign-in. */
export interface AcrTokens {
  /** Answers a registry's bearer challenge: from the identity's token on, for exactly the scopes asked for. */
  readonly fetchToken: FetchToken;
  /** A password (with {@link refreshTokenUser}) for engines that sign in by themselves; it lives for hours. */
  refreshToken(): Promise<string>;
}

async function post(
  send: SendAzure,
  url: URL,
  form: Readonly<Record<string, string>>,
  access: AcrAccess,
): Promise<AzureAnswer> {
  const request = {
    method: 'POST' as const,
    url,
    headers: { 'content-type': 'application/x-www-form-urlencoded' },
    body: new URLSearchParams(form).toString(),
  };
  return send(request, access.host.cancelled);
}

function textField(answer: AzureAnswer, name: string): string | undefined {
  const value = fieldsOf(answer)[name];
  return answer.status === 200 && typeof value === 'string' && value !== '' ? value : undefined;
}

/** The registry that gives the challenge must be the one that gets the identity's token. */
function checkOrigin(url: URL, access: AcrAccess): void {
  if (url.origin === new URL(access.registryUrl).origin) return;
  throw new DeliveryError({
    code: 'REGISTRY_TOKEN_SERVICE_UNSAFE',
    side: 'registry',
    message: `The registry ${access.registryUrl} asks for the sign-in to be sent to '${url.origin}', which is not itself.`,
    remedy: 'An Azure container registry is its own token service: check the address of the registry.',
  });
}

/** Exchanges a token of the identity for the registry's refresh token; undefined when it is refused. */
async function exchange(
  send: SendAzure,
  access: AcrAccess,
  audience: string,
): Promise<{ token?: string; answer: AzureAnswer }> {
  const { token } = await access.identity.getToken(scopeFor(audience));
  const { tenantId } = access.connection;
  const form = {
    grant_type: 'access_token',
    service: new URL(access.registryUrl).host,
    access_token: token,
    ...(tenantId === undefined ? {} : { tenant: tenantId }),
  };
  const answer = await post(send, new URL('/oauth2/exchange', access.registryUrl), form, access);
  const refreshToken = textField(answer, 'refresh_token');
  if (refreshToken === undefined) return { answer };
  access.host.secret(refreshToken);
  return { token: refreshToken, answer };
}

function isUnknownResource(error: unknown): boolean {
  return error instanceof DeliveryError && error.code === 'IDENTITY_RESOURCE_UNKNOWN';
}

/**
 * Signs in to an Azure container registry: the identity's token is exchanged for the registry's refresh token, and
 * that for tokens of one scope each. The registry's own audience is asked for first; the resource manager's, which
 * registries may refuse, only where that fails. Throws REGISTRY_ROLE_MISSING, REGISTRY_FIREWALL,
 * REGISTRY_SIGN_IN_REFUSED and IDENTITY_… errors.
 * https://learn.microsoft.com/azure/container-registry/container-registry-authentication#authentication-options
 */
export function createAcrTokens(access: AcrAccess): AcrTokens {
  const send = createSend(access.network ?? {}, access.host.log);
  const { registryAudience, resourceManagerAudience } = access.connection.cloud;
  let audience = registryAudience;

  const byResourceManager = async (reason: string): Promise<string> => {
    const { token, answer } = await exchange(send, access, resourceManagerAudience);
    if (token === undefined) throw acrRefused(answer, access.registryUrl, access.connection, '');
    audience = resourceManagerAudience;
    access.host.log.warning(
      `The registry ${access.registryUrl} was entered by a token for the resource manager, because ${reason}. Registries can be told to refuse such tokens (azureADAuthenticationAsArmPolicy).`,
    );
    return token;
  };

  const exchanged = async (): Promise<string> => {
    try {
      const { token, answer } = await exchange(send, access, audience);
      if (token !== undefined) return token;
      if (audience === registryAudience && answer.status === 401) {
        return await byResourceManager("it did not take one for the registry's own audience");
      }
      throw acrRefused(answer, access.registryUrl, access.connection, '');
    } catch (error) {
      if (audience !== registryAudience || !isUnknownResource(error)) throw error;
      return await byResourceManager(`the tenant does not know the audience ${registryAudience}`);
    }
  };

  let kept: KeptToken | undefined;
  let running: Promise<KeptToken> | undefined;
  const renew = async (): Promise<KeptToken> => {
    const token = await exchanged();
    kept = { token, until: Date.now() + expiryOf(token) * keptMs };
    return kept;
  };
  /** The refresh token, exchanged anew in the last third of its life; `refused` is one that the registry did not take. */
  const refreshToken = async (refused?: string): Promise<string> => {
    if (kept !== undefined && kept.token !== refused && Date.now() < kept.until) return kept.token;
    running ??= renew().finally(() => {
      running = undefined;
    });
    return (await running).token;
  };

  const askToken = async (url: URL, scope: string, refresh_token: string): Promise<AzureAnswer> => {
    const service = url.searchParams.get('service') ?? url.host;
    const form = { grant_type: 'refresh_token', service, scope, refresh_token };
    return post(send, new URL('/oauth2/token', url), form, access);
  };

  const fetchToken: FetchToken = async (url) => {
    checkOrigin(url, access);
    const scope = url.searchParams.getAll('scope').join(' ');
    const before = kept?.token;
    const shown = await refreshToken();
    let answer = await askToken(url, scope, shown);
    // A kept one may have been revoked, or a role granted since: a fresh one tells.
    if (answer.status === 401 && shown === before)
      answer = await askToken(url, scope, await refreshToken(shown));
    const token = textField(answer, 'access_token');
    if (token === undefined) throw acrRefused(answer, access.registryUrl, access.connection, scope);
    access.host.secret(token);
    checkGranted(token, scope, access.registryUrl);
    return { access_token: token, expires_in: expiryOf(token) };
  };

  // Who signs in by itself gets a whole life.
  return { fetchToken, refreshToken: exchanged };
}
