import { randomUUID } from 'node:crypto';
import type { TokenProblem } from '../identity/keys.ts';
import type { Answer } from '../identity/server.ts';

/** A refusal of the resource manager in its published shape, with the ids that its support asks for. */
export function refused(status: number, code: string, message: string): Answer {
  const headers = { 'x-ms-correlation-request-id': randomUUID(), 'x-ms-request-id': randomUUID() };
  return { status, json: { error: { code, message } }, headers };
}

const tokenProblems: Readonly<Record<TokenProblem, readonly [string, string]>> = {
  missing: ['AuthenticationFailed', "Authentication failed. The 'Authorization' header is missing."],
  signature: ['InvalidAuthenticationToken', 'The access token is invalid.'],
  expired: [
    'ExpiredAuthenticationToken',
    'The access token expiry UTC time is earlier than current UTC time.',
  ],
  audience: [
    'InvalidAuthenticationTokenAudience',
    'The access token has been obtained for wrong audience or resource.',
  ],
};

export function tokenRefused(problem: TokenProblem): Answer {
  return refused(401, ...tokenProblems[problem]);
}

/** The refusal of a version that is missing or unknown; undefined for one that is known. */
export function versionRefusal(version: string | null, known: ReadonlySet<string>): Answer | undefined {
  if (version === null) {
    const message = 'The api-version query parameter (?api-version=) is required for all requests.';
    return refused(400, 'MissingApiVersionParameter', message);
  }
  if (known.has(version)) return undefined;
  const message = `No registered resource provider found for API version '${version}'.`;
  return refused(400, 'NoRegisteredProviderFound', message);
}

export function forbidden(objectId: string, action: string, path: string): Answer {
  return refused(
    403,
    'AuthorizationFailed',
    `The client '${objectId}' with object id '${objectId}' does not have authorization to perform action '${action}' over scope '${path}' or the scope is invalid. If access was recently granted, please refresh your credentials.`,
  );
}

/** The refusal of a token of a tenant that the subscription does not trust. */
export function wrongTenant(found: string, trusted: string): Answer {
  const [shown, wanted] = [found, trusted].map((id) => `https://sts.windows.net/${id}/`);
  return refused(
    401,
    'InvalidAuthenticationTokenTenant',
    `The access token is from the wrong issuer '${shown}'. It must match the tenant '${wanted}' associated with this subscription.`,
  );
}
