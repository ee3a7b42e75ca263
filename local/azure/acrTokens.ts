import type { JSONWebKeySet } from 'jose';
import { decodeJwt, jwtVerify } from 'jose';
import type { Entra } from '../identity/entra.ts';
import { audiences } from '../identity/index.ts';
import { createSigner } from '../identity/keys.ts';
import type { Answer, Asked } from '../identity/server.ts';

/** What a principal may do in a repository. */
export interface Grant {
  readonly objectId: string;
  /** A repository's name, or `*` for all. */
  readonly repository: string;
  readonly actions: readonly ('pull' | 'push' | 'delete')[];
  /** By a role for repositories (Container Registry Repository Writer), the only ones that an ABAC registry honours. */
  readonly byRepositoryRole?: boolean;
}

/** Settings of a registry, to be changed while it runs. */
export interface AcrSettings {
  grants: readonly Grant[];
  /** Object id of the registry's own Tasks, which may do everything. */
  readonly tasksPrincipal: string;
  /** Life of the registry's own tokens, in seconds. */
  lifeSeconds: number;
  /** Whether tokens for the resource manager are taken too (azureADAuthenticationAsArmPolicy). */
  acceptsResourceManager: boolean;
  acceptsOwnAudience: boolean;
  /** Permissions by repository (ABAC): roles for repositories alone, entered by the registry's own audience alone. */
  abac: boolean;
  /** False answers as a registry with network rules does. */
  admitsNetwork: boolean;
}

/** The registry's token service: /oauth2/exchange and /oauth2/token. */
export interface AcrTokenService {
  readonly keys: JSONWebKeySet;
  /** Refresh and access tokens given so far. */
  readonly issued: readonly string[];
  answer(request: Asked): Promise<Answer>;
  /** A refresh token of a principal, as the registry's own Tasks have one. */
  passwordOf(objectId: string): Promise<string>;
}

/** The user that a refresh token is the password of. */
const refreshTokenUser = '00000000-0000-0000-0000-000000000000';

/** What distribution's registry expects in `iss`. */
export const acrIssuer = 'Azure Container Registry';

function refused(status: number, code: string, message: string): Answer {
  return { status, json: { errors: [{ code, message }] } };
}

const unauthorized = (): Answer =>
  refused(
    401,
    'UNAUTHORIZED',
    'authentication required, visit https://aka.ms/acr/authorization for more information.',
  );

interface Access {
  readonly type: string;
  readonly name: string;
  readonly actions: readonly string[];
}

function grantedAccess(scope: string, objectId: string, { grants, abac }: AcrSettings): Access[] {
  return scope.split(' ').flatMap((part) => {
    const [type = '', name = '', wanted = ''] = part.split(':');
    const allowed = grants
      .filter((one) => one.objectId === objectId && [name, '*'].includes(one.repository))
      .filter((one) => !abac || one.byRepositoryRole === true)
      .flatMap(({ actions }) => actions as readonly string[]);
    const actions = wanted.split(',').filter((action) => allowed.includes(action));
    return type === 'repository' && actions.length > 0 ? [{ type, name, actions }] : [];
  });
}

/** A token service that verifies Entra's tokens and gives the registry's own, for what the grants allow. */
export async function createAcrTokenService(
  entra: Entra,
  settings: AcrSettings,
  service: () => string,
): Promise<AcrTokenService> {
  const signer = await createSigner();
  const issued: string[] = [];
  const sign: typeof signer.sign = async (claims, lifeSeconds) => {
    const token = await signer.sign(claims, lifeSeconds);
    issued.push(token);
    return token;
  };

  const exchange = async (form: URLSearchParams): Promise<Answer> => {
    if (form.get('grant_type') !== 'access_token' || form.get('service') !== service()) {
      return refused(400, 'BAD_REQUEST', 'grant_type must be access_token, service this registry');
    }
    const accepted: string[] = [
      ...(settings.acceptsOwnAudience ? [audiences.registry] : []),
      ...(settings.acceptsResourceManager && !settings.abac ? [audiences.resourceManager] : []),
    ];
    const verified = await entra.verify(`Bearer ${form.get('access_token')}`, accepted);
    if ('problem' in verified || verified.claims['tid'] !== form.get('tenant')) return unauthorized();
    const claims = { iss: acrIssuer, aud: service(), sub: String(verified.claims['oid']) };
    const refresh_token = await sign({ ...claims, grant_type: 'refresh_token' }, settings.lifeSeconds);
    return { status: 200, json: { refresh_token } };
  };

  const token = async (form: URLSearchParams): Promise<Answer> => {
    if (form.get('grant_type') !== 'refresh_token' || form.get('service') !== service()) {
      return refused(400, 'BAD_REQUEST', 'grant_type must be refresh_token, service this registry');
    }
    const shown = form.get('refresh_token') ?? '';
    try {
      await jwtVerify(shown, signer.verifyKey, { audience: service(), issuer: acrIssuer });
    } catch {
      return unauthorized();
    }
    const objectId = decodeJwt(shown).sub ?? '';
    const actions = ['pull', 'push'] as const;
    const tasks = { objectId: settings.tasksPrincipal, repository: '*', actions, byRepositoryRole: true };
    const grants = [...settings.grants, tasks];
    const access = grantedAccess(form.get('scope') ?? '', objectId, { ...settings, grants });
    if (access.length === 0 && (form.get('scope') ?? '') !== '') return unauthorized();
    const claims = { iss: acrIssuer, aud: service(), sub: objectId, access };
    return { status: 200, json: { access_token: await sign(claims, settings.lifeSeconds) } };
  };

  /** Docker's own way (https://distribution.github.io/distribution/spec/auth/token/): a refresh token is the password. */
  const byPassword = async (request: Asked): Promise<Answer> => {
    const pair = /^Basic (.+)$/.exec(request.headers['authorization'] ?? '')?.[1] ?? '';
    const [user = '', ...password] = Buffer.from(pair, 'base64').toString('utf8').split(':');
    if (user !== refreshTokenUser) return unauthorized();
    const { searchParams } = request.url;
    const form = new URLSearchParams({
      grant_type: 'refresh_token',
      service: searchParams.get('service') ?? '',
      scope: searchParams.getAll('scope').join(' '),
      refresh_token: password.join(':'),
    });
    return await token(form);
  };

  return {
    keys: signer.keys,
    issued,
    passwordOf: (sub) => {
      const claims = { iss: acrIssuer, aud: service(), sub, grant_type: 'refresh_token' };
      return sign(claims, settings.lifeSeconds);
    },
    async answer(request) {
      const path = `${request.method} ${request.url.pathname}`;
      if (!settings.admitsNetwork) {
        return refused(403, 'DENIED', "client with IP '127.0.0.1' is not allowed access.");
      }
      if (path === 'POST /oauth2/exchange') return await exchange(request.form);
      if (path === 'POST /oauth2/token') return await token(request.form);
      if (path === 'GET /oauth2/token') return await byPassword(request);
      return refused(404, 'NOT_FOUND', path);
    },
  };
}
