import type { LocalIdentity } from '../identity/index.ts';
import type { S3Endpoint } from '../lib/endpoints.ts';
import { type Account, newKey, type Role } from './account.ts';
import type { Policy } from './policy.ts';
import { type S3Front, startS3Front } from './s3Front.ts';
import { type Sts, startSts } from './sts.ts';

/** An AWS account with a token service and S3, in this process: stopped by `close`. */
export interface LocalAws {
  readonly account: Account;
  readonly sts: Sts;
  readonly s3: S3Front;
  /** Every secret that its services gave. */
  secrets(): readonly string[];
  close(): Promise<void>;
}

/** The policies of the account's role; `trust` of a pipeline and of a user. */
export interface RolePolicies {
  readonly permissions: Policy;
  readonly trust: Policy;
}

export const accountId = '111122223333';
export const userArn = `arn:aws:iam::${accountId}:user/model-delivery`;
export const roleArn = `arn:aws:iam::${accountId}:role/model-delivery`;

/**
 * An account that trusts the pipelines' OIDC endpoint as an identity provider, with one user and one role, and S3 in
 * front of a real service.
 */
export async function startAws(
  local: LocalIdentity,
  s3: S3Endpoint,
  policies: RolePolicies,
): Promise<LocalAws> {
  const { devops } = local;
  const provider = {
    issuer: devops.issuer.replace(/^https:\/\//, ''),
    clientIds: [devops.audience],
    verifyKey: devops.verifyKey,
  };
  const role: Role = { arn: roleArn, maxSessionSeconds: 3600, ...policies };
  const account: Account = {
    id: accountId,
    users: [{ arn: userArn, ...newKey('AKIA') }],
    roles: [role],
    providers: [provider],
    sessions: [],
  };
  const sts = await startSts(account, s3.region, await local.authority.issue());
  const front = await startS3Front(account, s3);
  return {
    account,
    sts,
    s3: front,
    secrets: () =>
      account.sessions.flatMap(({ secretAccessKey, sessionToken }) => [secretAccessKey, sessionToken]),
    close: async () => {
      await Promise.all([sts.close(), front.close()]);
    },
  };
}
