import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { accountId, type LocalAws, roleArn, startAws } from '../../local/aws/index.ts';
import type { Policy } from '../../local/aws/policy.ts';
import type { LocalIdentity } from '../../local/identity/index.ts';
import { repositoryRoot } from '../../local/lib/context.ts';
import type { S3Endpoint } from '../../local/lib/endpoints.ts';
import type { ServiceConnection } from '../../src/host/host.ts';

export const externalId = 'an-external-id-of-the-test';

/** The policies of the documentation with the test's names in them: reading, trust in the pipeline, trust in a user. */
function documentedPolicies(names: Readonly<Record<string, string>>): readonly Policy[] {
  const page = readFileSync(join(repositoryRoot, 'docs/identity/s3.md'), 'utf8');
  const blocks = [...page.matchAll(/```json\n([\s\S]*?)```/g)].map((match) => match[1] ?? '');
  return blocks.map((block) => {
    const text = block.replace(/<([\w ]+)>/g, (_, name: string) => {
      const value = names[name];
      if (value === undefined)
        throw new Error(`docs/identity/s3.md names <${name}>, which the test does not know`);
      return value;
    });
    return JSON.parse(text) as Policy;
  });
}

/** An account whose role has the documentation's policies, for a bucket of the local S3 service. */
export async function documentedAws(local: LocalIdentity, s3: S3Endpoint, bucket: string): Promise<LocalAws> {
  const { devops, connectionId } = local;
  const [permissions, byToken, byKeys] = documentedPolicies({
    bucket,
    account: accountId,
    'issuer host': devops.issuer.replace(/^https:\/\//, ''),
    subject: devops.subjectOf(connectionId),
    audience: devops.audience,
    'external id': externalId,
  });
  if (!permissions || !byToken || !byKeys) throw new Error('docs/identity/s3.md has not its three policies');
  const trust = { ...byToken, Statement: [...byToken.Statement, ...byKeys.Statement] };
  return startAws(local, s3, { permissions, trust });
}

/** How a connection assumes the role. */
export type RoleWay = 'keys' | 'oidc';

/** A service connection for S3 that assumes the account's role. */
export function roleConnection(
  aws: LocalAws,
  local: LocalIdentity,
  way: RoleWay,
  changed: Readonly<Record<string, string>> = {},
): ServiceConnection {
  const { accessKeyId = '', secretAccessKey = '' } = aws.account.users[0] ?? {};
  const keys = { username: accessKeyId, password: secretAccessKey, externalid: externalId };
  const role = { rolearn: roleArn, stsendpoint: aws.sts.url };
  const { username, password, externalid, ...data } = {
    ...(way === 'keys' ? keys : { useoidc: 'true' }),
    ...role,
    ...changed,
  } as Record<string, string>;
  const given = { username, password, externalid, region: aws.s3.region };
  const parameters = Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined));
  return {
    id: local.connectionId,
    url: aws.s3.url,
    scheme: 'UsernamePassword',
    parameters: parameters as Record<string, string>,
    data,
  };
}
