import { randomUUID } from 'node:crypto';
import {
  createLocalJWKSet,
  errors,
  exportJWK,
  generateKeyPair,
  importJWK,
  type JSONWebKeySet,
  type JWK,
  type JWTPayload,
  type JWTVerifyGetKey,
  jwtVerify,
  SignJWT,
} from 'jose';

/** Signs JWTs with one RSA key and publishes its public half. */
export interface Signer {
  readonly keys: JSONWebKeySet;
  readonly verifyKey: JWTVerifyGetKey;
  /** A token that is valid from now for `seconds` (a negative number makes one that has expired). */
  sign(claims: JWTPayload, seconds: number): Promise<string>;
}

async function newKey(): Promise<JWK> {
  const { privateKey } = await generateKeyPair('RS256', { extractable: true });
  return { ...(await exportJWK(privateKey)), kid: randomUUID() };
}

/** A signer with this private key (a JWK with its key id), or a new one. */
export async function createSigner(given?: JWK): Promise<Signer> {
  const key = given ?? (await newKey());
  const privateKey = await importJWK(key, 'RS256');
  const { kty, n, e, kid = '' } = key;
  const keys = { keys: [{ kty, n, e, kid, use: 'sig', alg: 'RS256' }] } as JSONWebKeySet;
  return {
    keys,
    verifyKey: createLocalJWKSet(keys),
    sign(claims, seconds) {
      const now = Math.floor(Date.now() / 1000);
      const issued = seconds < 0 ? now + seconds - 60 : now;
      return new SignJWT({ jti: randomUUID(), ...claims })
        .setProtectedHeader({ alg: 'RS256', typ: 'JWT', kid })
        .setIssuedAt(issued)
        .setNotBefore(issued)
        .setExpirationTime(now + seconds)
        .sign(privateKey);
    },
  };
}

/** Why a service does not accept a token. */
export type TokenProblem = 'missing' | 'signature' | 'expired' | 'audience';

/** The claims of a bearer header signed by `signer` for one of the audiences, or what is wrong with it. */
export async function verifyBearer(
  signer: Signer,
  header: string | undefined,
  audiences: readonly string[],
): Promise<{ readonly claims: JWTPayload } | { readonly problem: TokenProblem }> {
  const given = /^Bearer (.+)$/.exec(header ?? '')?.[1];
  if (given === undefined) return { problem: 'missing' };
  try {
    const { payload } = await jwtVerify(given, signer.verifyKey);
    const audience = [payload.aud ?? []].flat()[0]?.replace(/\/+$/, '') ?? '';
    return audiences.includes(audience) ? { claims: payload } : { problem: 'audience' };
  } catch (error) {
    return { problem: error instanceof errors.JWTExpired ? 'expired' : 'signature' };
  }
}
