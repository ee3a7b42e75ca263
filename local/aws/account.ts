import { randomBytes } from 'node:crypto';
import type { JWTVerifyGetKey } from 'jose';
import type { Policy } from './policy.ts';

/** A user with one access key. */
export interface User {
  readonly arn: string;
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
}

/** A role: who may assume it, for how long, and what its sessions may do. */
export interface Role {
  readonly arn: string;
  readonly trust: Policy;
  readonly permissions: Policy;
  readonly maxSessionSeconds: number;
}

/** An OIDC identity provider of the account. */
export interface Provider {
  /** The issuer without its scheme, as in the provider's ARN. */
  readonly issuer: string;
  readonly clientIds: readonly string[];
  readonly verifyKey: JWTVerifyGetKey;
}

/** Temporary keys of a role. */
export interface Session extends User {
  readonly sessionToken: string;
  readonly role: Role;
  readonly name: string;
  /** Milliseconds since 1970. */
  readonly expires: number;
}

/** What IAM knows; tests change it while it runs. */
export interface Account {
  readonly id: string;
  users: readonly User[];
  roles: readonly Role[];
  providers: readonly Provider[];
  /** Every session that was given, ended ones too. */
  readonly sessions: Session[];
}

/** A key of the kind that IAM makes: AKIA for users, ASIA for sessions. */
export function newKey(kind: 'AKIA' | 'ASIA') {
  return {
    accessKeyId: `${kind}${randomBytes(8).toString('hex').toUpperCase()}`,
    secretAccessKey: randomBytes(30).toString('base64url'),
  };
}

/** A new session of a role. */
export function newSession(account: Account, role: Role, name: string, seconds: number): Session {
  const [, roleName = ''] = role.arn.split('/');
  const session = {
    ...newKey('ASIA'),
    arn: `arn:aws:sts::${account.id}:assumed-role/${roleName}/${name}`,
    sessionToken: randomBytes(240).toString('base64'),
    role,
    name,
    expires: Date.now() + seconds * 1000,
  };
  account.sessions.push(session);
  return session;
}
