import { createHash, X509Certificate } from 'node:crypto';
import {
  decodeJwt,
  decodeProtectedHeader,
  errors,
  importX509,
  type JWTPayload,
  type JWTVerifyGetKey,
  jwtVerify,
} from 'jose';
import { type Application, type Directory, EntraRefusal } from './directory.ts';

const assertionType = 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer';

function invalidClient(number: number, message: string): EntraRefusal {
  return new EntraRefusal(number, 'invalid_client', message, 401);
}

function checkSecret(application: Application, secret: string): void {
  const found = application.secrets?.find(({ value }) => value === secret);
  if (found === undefined) {
    throw invalidClient(
      7000215,
      `Invalid client secret provided. Ensure the secret being sent in the request is the client secret value, not the client secret ID, for a secret added to app '${application.clientId}'.`,
    );
  }
  if (found.expired === true) {
    throw invalidClient(
      7000222,
      `The provided client secret keys for app '${application.clientId}' are expired.`,
    );
  }
}

/** Verifies signature and times; the refusals are the service's own for each. */
async function verified(
  assertion: string,
  key: JWTVerifyGetKey,
  signature: EntraRefusal,
  now: Date,
): Promise<JWTPayload> {
  // MSAL rounds the time up; the real service tolerates minutes.
  const checks = {
    algorithms: ['RS256', 'PS256'],
    clockTolerance: 2,
    currentDate: now,
    requiredClaims: ['exp', 'iss', 'sub', 'aud', 'jti'],
  };
  try {
    const { payload } = await jwtVerify(assertion, key, checks);
    return payload;
  } catch (error) {
    const outOfTime =
      error instanceof errors.JWTExpired ||
      (error instanceof errors.JWTClaimValidationFailed && error.claim === 'nbf');
    if (!outOfTime) throw signature;
    const { nbf = 0, exp = 0 } = decodeJwt(assertion);
    const time = (seconds: number) => new Date(seconds * 1000).toISOString();
    throw invalidClient(
      700024,
      `Client assertion is not within its valid time range. Current time: ${now.toISOString()}, assertion valid from ${time(nbf)}, expiry time of assertion ${time(exp)}.`,
    );
  }
}

function thumbprints(certificate: string): string[] {
  const der = new X509Certificate(certificate).raw;
  return ['sha1', 'sha256'].map((name) => createHash(name).update(der).digest('base64url'));
}

async function checkCertificate(
  application: Application,
  assertion: string,
  tokenEndpoint: string,
  now: Date,
): Promise<void> {
  const header = decodeProtectedHeader(assertion);
  const shown = [header.x5t, header['x5t#S256'] as string | undefined];
  const certificate = application.certificates?.find((pem) =>
    thumbprints(pem).some((print) => shown.includes(print)),
  );
  const refused = invalidClient(
    700027,
    `The certificate with identifier used to sign the client assertion is not registered on application '${application.clientId}', or the signature does not match.`,
  );
  if (certificate === undefined) throw refused;
  const key = await importX509(certificate, header.alg ?? 'RS256');
  const claims = await verified(assertion, async () => key, refused, now);
  if (claims.iss !== application.clientId || claims.sub !== application.clientId) {
    throw invalidClient(
      700021,
      'Client assertion application identifier does not match client_id parameter.',
    );
  }
  if (claims.aud !== tokenEndpoint) {
    throw invalidClient(
      700023,
      `Client assertion audience claim does not match Realm issuer. Expected ${tokenEndpoint}.`,
    );
  }
}

/** The federated credential must equal issuer, subject and audience, letter by letter. */
async function checkFederated(
  application: Application,
  directory: Directory,
  assertion: string,
  now: Date,
): Promise<JWTPayload> {
  const { iss = '', sub = '', aud } = decodeJwt(assertion);
  const advice =
    'Check your federated identity credential Subject, Audience and Issuer against the presented assertion. https://learn.microsoft.com/entra/workload-id/workload-identity-federation';
  const candidates = application.federated ?? [];
  const sameIssuer = candidates.filter(({ issuer }) => issuer === iss);
  const key = directory.issuers.get(iss);
  if (sameIssuer.length === 0 || key === undefined) {
    throw invalidClient(
      700211,
      `No matching federated identity record found for presented assertion issuer '${iss}'. ${advice}`,
    );
  }
  const claims = await verified(
    assertion,
    key,
    invalidClient(50013, 'Assertion failed signature validation.'),
    now,
  );
  const sameSubject = sameIssuer.filter(({ subject }) => subject === sub);
  if (sameSubject.length === 0) {
    throw invalidClient(
      700213,
      `No matching federated identity record found for presented assertion subject '${sub}'. ${advice}`,
    );
  }
  if (!sameSubject.some(({ audience }) => [aud].flat().includes(audience))) {
    throw invalidClient(
      700212,
      `No matching federated identity record found for presented assertion audience '${[aud].flat().join()}'. ${advice}`,
    );
  }
  return claims;
}

/** Checks how a client proves itself: a secret, or an assertion signed by its certificate or an outside issuer. */
export interface ProofChecker {
  check(application: Application, form: URLSearchParams, tokenEndpoint: string): Promise<void>;
}

/**
 * A checker by this clock that remembers which outside tokens were used. The real service takes one again within its life; here
 * a client that keeps an old proof instead of asking for a new one is found out. (MSAL signs its own certificate
 * assertion once for ten minutes, so those may come again.)
 */
export function createProofChecker(directory: Directory, now: () => Date): ProofChecker {
  const used = new Set<string>();
  return {
    async check(application, form, tokenEndpoint) {
      const secret = form.get('client_secret');
      if (secret !== null) return checkSecret(application, secret);
      const assertion = form.get('client_assertion');
      if (assertion === null || form.get('client_assertion_type') !== assertionType) {
        throw invalidClient(
          7000218,
          "The request body must contain the following parameter: 'client_assertion' or 'client_secret'.",
        );
      }
      const header = decodeProtectedHeader(assertion);
      if (header.x5t !== undefined || header['x5t#S256'] !== undefined) {
        return checkCertificate(application, assertion, tokenEndpoint, now());
      }
      const { jti = '' } = await checkFederated(application, directory, assertion, now());
      if (used.has(jti)) throw invalidClient(50012, 'This assertion has been used before.');
      used.add(jti);
    },
  };
}
