import { decodeJwt, errors, jwtVerify } from 'jose';
import type { Account, Provider } from './account.ts';
import { AwsRefusal } from './refusal.ts';

/** Who a verified token is about, in the words of a trust policy. */
export interface Federated {
  readonly principal: { readonly Federated: string };
  readonly context: Readonly<Record<string, string | undefined>>;
  readonly provider: string;
  readonly subject: string;
  readonly audience: string;
}

async function verifiedClaims(token: string, { issuer, verifyKey }: Provider) {
  try {
    const { payload } = await jwtVerify(token, verifyKey, {
      algorithms: ['RS256'],
      issuer: `https://${issuer}`,
      requiredClaims: ['exp', 'iat', 'sub', 'aud'],
    });
    return payload;
  } catch (error) {
    if (error instanceof errors.JWTExpired) {
      throw new AwsRefusal(
        'ExpiredTokenException',
        'Token expired: current date/time must be before the expiration date/time',
        400,
      );
    }
    throw new AwsRefusal(
      'InvalidIdentityToken',
      "Couldn't retrieve verification key from your identity provider,  please reference AssumeRoleWithWebIdentity documentation for requirements",
      400,
    );
  }
}

/** Verifies an outside token against the account's providers: issuer, audience, signature by published keys, times. */
export async function verifyWebIdentity(account: Account, token: string): Promise<Federated> {
  let claims: ReturnType<typeof decodeJwt>;
  try {
    claims = decodeJwt(token);
  } catch {
    throw new AwsRefusal(
      'InvalidIdentityToken',
      'The ID Token provided is not a valid JWT. (You may see this error if you sent an Access Token)',
      400,
    );
  }
  const issuer = (claims.iss ?? '').replace(/^https:\/\//, '');
  const provider = account.providers.find((one) => one.issuer === issuer);
  if (provider === undefined) {
    throw new AwsRefusal(
      'InvalidIdentityToken',
      `No OpenIDConnect provider found in your account for ${claims.iss ?? ''}`,
      400,
    );
  }
  const { sub = '', aud } = await verifiedClaims(token, provider);
  const audience = [aud ?? []].flat()[0] ?? '';
  if (!provider.clientIds.includes(audience)) {
    throw new AwsRefusal('InvalidIdentityToken', 'Incorrect token audience', 400);
  }
  const arn = `arn:aws:iam::${account.id}:oidc-provider/${issuer}`;
  return {
    principal: { Federated: arn },
    context: { [`${issuer}:sub`]: sub, [`${issuer}:aud`]: audience },
    provider: arn,
    subject: sub,
    audience,
  };
}
