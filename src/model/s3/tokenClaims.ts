/** What a trust policy compares: who made the token, about whom, for whom. */
export interface TokenClaims {
  readonly issuer: string;
  readonly subject: string;
  readonly audience: string;
}

function text(value: unknown): string {
  return [value ?? []].flat().join(', ');
}

/** The claims of a JWT, unverified: for people, who compare them with a policy. */
export function claimsOf(token: string): TokenClaims {
  try {
    const payload: unknown = JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString('utf8'));
    const { iss, sub, aud } = payload as Readonly<Record<string, unknown>>;
    return { issuer: text(iss), subject: text(sub), audience: text(aud) };
  } catch {
    return { issuer: '', subject: '', audience: '' };
  }
}

/** One line of them, as the trust policy has to name them. */
export function shownClaims({ issuer, subject, audience }: TokenClaims): string {
  return `issuer ${issuer || '(none)'}, subject ${subject || '(none)'}, audience ${audience || '(none)'}`;
}
