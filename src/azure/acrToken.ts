import { catalogForbidden, roleMissing } from './acrRefused.ts';

interface Granted {
  readonly type: string;
  readonly name: string;
  readonly actions: readonly string[];
}

interface Claims {
  readonly exp?: number;
  readonly access?: readonly Granted[];
}

/** The claims of the registry's token, which it alone verifies; none for one that is no JWT. */
function claimsOf(token: string): Claims {
  try {
    const body = Buffer.from(token.split('.')[1] ?? '', 'base64url').toString('utf8');
    const claims: unknown = JSON.parse(body);
    return typeof claims === 'object' && claims !== null ? (claims as Claims) : {};
  } catch {
    return {};
  }
}

/** Seconds until the token ends; 60 where it does not say. */
export function expiryOf(token: string, nowMs = Date.now()): number {
  const { exp } = claimsOf(token);
  return typeof exp === 'number' ? Math.floor(exp - nowMs / 1000) : 60;
}

/**
 * A registry gives a token for less than was asked for without a word, and refuses the request afterwards.
 * Throws REGISTRY_ROLE_MISSING here instead, where the missing right is known.
 */
export function checkGranted(token: string, scope: string, registryUrl: string): void {
  const { access } = claimsOf(token);
  if (!Array.isArray(access)) return;
  for (const part of scope.split(' ')) {
    const [type = '', name = '', actions = ''] = part.split(':');
    if (type !== 'repository' && `${type}:${name}` !== 'registry:catalog') continue;
    const granted = access
      .filter((one) => one.type === type && one.name === name)
      .flatMap((one) => one.actions ?? []);
    const lacking = actions.split(',').filter((action) => action !== '' && !granted.includes(action));
    if (lacking.length === 0) continue;
    throw type === 'registry' ? catalogForbidden(registryUrl) : roleMissing(registryUrl, name, lacking);
  }
}
