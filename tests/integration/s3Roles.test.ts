import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Role } from '../../local/aws/account.ts';
import { type LocalAws, roleArn } from '../../local/aws/index.ts';
import { type LocalIdentity, startIdentity } from '../../local/identity/index.ts';
import type { S3Endpoint } from '../../local/lib/endpoints.ts';
import { readS3Connection } from '../../src/model/s3/connection.ts';
import type { S3Location } from '../../src/model/s3/location.ts';
import { s3SignIn } from '../../src/model/s3/signIn.ts';
import { openS3Store } from '../../src/model/s3/store.ts';
import { documentedAws, externalId, type RoleWay, roleConnection } from '../support/aws.ts';
import { newBucket, type TestBucket } from '../support/buckets.ts';
import { failureText, jobHost, networkOf } from '../support/identity.ts';
import { services } from '../support/services.ts';

const { signal } = new AbortController();

/** Alters a double; the connection's fields stay as they are. */
function altered<T extends object>(double: T, change: Partial<T>): Readonly<Record<string, string>> {
  Object.assign(double, change);
  return {};
}

describe('a role for S3', function () {
  this.timeout(120_000);
  let s3: S3Endpoint;
  let local: LocalIdentity;
  let bucket: TestBucket;
  let aws: LocalAws;

  before(async () => {
    ({ s3 } = await services('s3'));
    bucket = await newBucket(s3, { versioned: true });
    await bucket.put('credit/1.0/model.bin', 'the weights');
  });
  beforeEach(async () => {
    local = await startIdentity();
    aws = await documentedAws(local, s3, bucket.location.bucket);
  });
  afterEach(async () => {
    await aws.close();
    await local.close();
  });

  /** The bucket as a task of this connection finds it, and what it said. */
  function opened(way: RoleWay, changed: Readonly<Record<string, string>> = {}) {
    const { host, said } = jobHost(local);
    const connection = readS3Connection(roleConnection(aws, local, way, changed));
    const { region } = aws.s3;
    const session = s3SignIn(connection, host, region, networkOf(local));
    const location: S3Location = {
      ...{ bucket: bucket.location.bucket, region, endpoint: aws.s3.url, addressing: 'auto' },
      ...session,
    };
    return { store: openS3Store(location), said };
  }

  async function readAll(way: RoleWay, changed: Readonly<Record<string, string>> = {}) {
    const { store, said } = opened(way, changed);
    let content = '';
    for await (const file of store.list('credit/', signal)) {
      for await (const bytes of await store.read(file, { signal })) content += Buffer.from(bytes).toString();
    }
    return { content, said };
  }

  for (const way of ['keys', 'oidc'] as const) {
    it(`lets read by ${way}, with the policies of the documentation and nothing more`, async () => {
      const { content, said } = await readAll(way);
      assert.equal(content, 'the weights');
      const [session] = aws.account.sessions;
      assert.equal(aws.account.sessions.length, 1, 'one session for all clients');
      assert.ok(session && session.name === 'model-delivery');
      for (const secret of [session.secretAccessKey, session.sessionToken])
        assert.ok(said.secrets.includes(secret));
      assert.deepEqual(
        new Set(aws.s3.admitted.map(({ action }) => action)),
        new Set(['s3:GetBucketVersioning', 's3:ListBucketVersions', 's3:GetObjectVersion']),
      );
      assert.deepEqual(aws.s3.refused, []);
      const agents = [...aws.sts.userAgents, ...aws.s3.admitted.map(({ userAgent }) => userAgent)];
      assert.deepEqual(
        agents.filter((agent) => !/^model-delivery\b.* aws-sdk-js\//.test(agent)),
        [],
      );
      assert.equal(aws.sts.userAgents.length, 1);
      assert.equal(local.devops.issued().length, way === 'oidc' ? 1 : 0);
      for (const token of local.devops.issued()) assert.ok(said.secrets.includes(token));
    });
  }

  it('tells who the OIDC token is from, about whom and for whom, before it is used', async () => {
    const { said } = await readAll('oidc');
    const { issuer, audience } = local.devops;
    const subject = local.devops.subjectOf(local.connectionId);
    assert.deepEqual(said.lines, [
      `S3 role ${roleArn}, by the pipeline's OIDC token: issuer ${issuer}, subject ${subject}, audience ${audience}`,
    ]);
  });

  it('is assumed anew when its session ends, by a token that is asked for anew', async () => {
    aws.sts.lifeSeconds = 2;
    const { store } = opened('oidc');
    for await (const _ of store.list('credit/', signal));
    await sleep(2_100);
    for await (const file of store.list('credit/', signal)) {
      for await (const bytes of await store.read(file, { signal })) assert.ok(bytes.length > 0);
    }
    assert.deepEqual(aws.s3.refused, []);
    assert.ok(aws.account.sessions.length > 1);
    assert.equal(new Set(local.devops.issued()).size, aws.account.sessions.length);
  });

  it("lasts as long as it was given for, whatever this machine's clock says", async () => {
    aws.sts.clockMs = -2 * 3_600_000;
    for (const way of ['keys', 'oidc'] as const) {
      const { store } = opened(way);
      for (const _ of [1, 2]) assert.deepEqual(await store.children('', signal), ['credit/']);
    }
    assert.equal(aws.account.sessions.length, 2);
  });

  type Change = (aws: LocalAws, local: LocalIdentity) => Readonly<Record<string, string>>;
  const refusals: readonly (readonly [string, RoleWay, Change, string, RegExp])[] = [
    [
      'a role that is not there',
      'keys',
      () => ({ rolearn: `${roleArn}-other` }),
      'S3_ROLE_REFUSED',
      /-other: there is no such role/,
    ],
    [
      'another external id',
      'keys',
      () => ({ externalid: 'another' }),
      'S3_ROLE_REFUSED',
      /sts:ExternalId must be/,
    ],
    ['no external id', 'keys', () => ({ externalid: '' }), 'S3_ROLE_REFUSED', /ask for no sts:ExternalId/],
    [
      'a secret of other keys',
      'keys',
      () => ({ password: 'x'.repeat(40) }),
      'STORAGE_KEY_WRONG',
      /do not fit/,
    ],
    ['keys that are gone', 'keys', () => ({ username: 'AKIAGONE' }), 'STORAGE_KEY_WRONG', /not known/],
    [
      'too long a session',
      'keys',
      () => ({ roleduration: '43200' }),
      'S3_ROLE_INVALID',
      /for 43200 seconds[\s\S]*MaxSessionDuration/,
    ],
    [
      'a role that trusts another connection',
      'oidc',
      ({ account }) => {
        const roles = JSON.stringify(account.roles).replaceAll(
          'sc://local/project/azure',
          'sc://local/p/other',
        );
        return altered(account, { roles: JSON.parse(roles) as Role[] });
      },
      'S3_ROLE_REFUSED',
      /does not trust the pipeline \(issuer https:\S+, subject sc:\/\/local\/project\/azure, audience/,
    ],
    [
      'another audience',
      'oidc',
      (_, { devops }) => altered(devops, { audience: 'api://Other' }),
      'S3_OIDC_AUDIENCE_WRONG',
      /audience api:\/\/Other/,
    ],
    [
      'an issuer without provider',
      'oidc',
      ({ account }) => altered(account, { providers: [] }),
      'S3_OIDC_ISSUER_UNKNOWN',
      /no identity provider for the issuer/,
    ],
    [
      'a token that has expired',
      'oidc',
      (_, { devops }) => altered(devops, { lifeSeconds: -5 }),
      'S3_OIDC_TOKEN_EXPIRED',
      /had expired/,
    ],
    [
      "a token that is not the issuer's",
      'oidc',
      (_, { devops }) => altered(devops, { forge: true }),
      'S3_OIDC_TOKEN_REFUSED',
      /could not be verified/,
    ],
    [
      'a region that is switched off',
      'oidc',
      ({ sts }) => altered(sts, { regionDisabled: true }),
      'S3_ROLE_REGION_DISABLED',
      /eu-central-1/,
    ],
    [
      'a token service that is out',
      'oidc',
      ({ sts }) => {
        sts.failNext(9, 503);
        return {};
      },
      'IDENTITY_BUSY',
      /overloaded/,
    ],
    [
      'no token service',
      'oidc',
      () => ({ stsendpoint: 'https://127.0.0.1:9' }),
      'IDENTITY_UNREACHABLE',
      /127\.0\.0\.1:9/,
    ],
  ];
  for (const [what, way, change, code, text] of refusals) {
    it(`is refused with words for ${what}`, async () => {
      const failure = await failureText(readAll(way, change(aws, local)));
      assert.equal(failure.code, code, failure.text);
      assert.match(failure.text, text);
      for (const secret of [externalId, ...local.devops.issued()]) assert.ok(!failure.text.includes(secret));
    });
  }

  it('may do no more than its policy, and says what is missing', async () => {
    const [role] = aws.account.roles;
    assert.ok(role);
    const Statement = role.permissions.Statement.slice(0, 1);
    aws.account.roles = [{ ...role, permissions: { ...role.permissions, Statement } }];
    const { code, text } = await failureText(readAll('oidc'));
    assert.equal(code, 'STORAGE_FORBIDDEN');
    assert.match(text, /Allow s3:GetObjectVersion on/);
  });

  it('has sessions that are worth something only whole, in time and in their region', async () => {
    const { store } = opened('oidc');
    await store.children('', signal);
    const [session] = aws.account.sessions;
    assert.ok(session);
    const { accessKeyId, secretAccessKey, sessionToken } = session;
    const whole = { accessKeyId, secretAccessKey, sessionToken };
    const [user] = aws.account.users;
    assert.ok(user);
    const readBy = async (credentials: S3Location['credentials'], region = aws.s3.region) => {
      const location = {
        bucket: bucket.location.bucket,
        region,
        endpoint: aws.s3.url,
        addressing: 'auto' as const,
      };
      await openS3Store({ ...location, ...(credentials && { credentials }) }).children('', signal);
    };
    await readBy(whole);
    const cases = [
      [{ ...whole, secretAccessKey: user.secretAccessKey }, 'SignatureDoesNotMatch'],
      [{ ...whole, sessionToken: `${sessionToken}x` }, 'InvalidToken'],
      [{ accessKeyId, secretAccessKey }, 'InvalidToken'],
      [{ accessKeyId: user.accessKeyId, secretAccessKey: user.secretAccessKey }, 'InvalidAccessKeyId'],
    ] as const;
    for (const [credentials] of cases) await assert.rejects(readBy(credentials));
    await assert.rejects(readBy(whole, 'us-west-2'), { code: 'S3_REGION_WRONG' });
    aws.account.sessions.splice(0, 1, { ...session, expires: Date.now() - 1 });
    await assert.rejects(readBy(whole), { code: 'S3_TOKEN_EXPIRED' });
    assert.deepEqual(aws.s3.refused, [
      ...cases.map(([, code]) => code),
      'AuthorizationHeaderMalformed',
      'ExpiredToken',
    ]);
  });

  it('is told of sessions that the storage does not know', async () => {
    const { store } = opened('oidc');
    await store.children('', signal);
    for (const session of aws.account.sessions.splice(0)) assert.ok(session);
    const { code, text } = await failureText(store.children('', signal));
    assert.equal(code, 'STORAGE_KEY_WRONG');
    assert.match(text, /its sessions were revoked|the role's sessions were revoked/);
  });
});
