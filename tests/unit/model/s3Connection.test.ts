import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { repositoryRoot } from '../../../local/lib/context.ts';
import type { ServiceConnection } from '../../../src/host/host.ts';
import { readS3Connection } from '../../../src/model/s3/connection.ts';

const keys = { username: 'KEY', password: 'secret' };
const arn = 'arn:aws:iam::111122223333:role/models/reader';
const aws = 'https://s3.amazonaws.com/';

function connection(
  parameters: Record<string, string>,
  data: Record<string, string> = {},
  url = aws,
): ServiceConnection {
  return { id: 's3', url, scheme: 'UsernamePassword', parameters, data };
}

describe('a service connection for S3', () => {
  it('holds keys, token, region and address', () => {
    const parameters = { ...keys, sessiontoken: 'token', region: 'eu-north-1' };
    assert.deepEqual(readS3Connection(connection(parameters, {}, 'https://minio.example.com:9000/')), {
      signIn: {
        kind: 'keys',
        credentials: { accessKeyId: 'KEY', secretAccessKey: 'secret', sessionToken: 'token' },
      },
      region: 'eu-north-1',
      endpoint: 'https://minio.example.com:9000',
    });
  });

  it("leaves AWS's own address to the region", () => {
    assert.equal(readS3Connection(connection(keys)).endpoint, undefined);
  });

  it('assumes a role by its keys, for an hour unless it says otherwise', () => {
    const { signIn } = readS3Connection(connection({ ...keys, externalid: 'ext' }, { rolearn: arn }));
    assert.deepEqual(signIn, {
      kind: 'role',
      credentials: { accessKeyId: 'KEY', secretAccessKey: 'secret' },
      role: { arn, durationSeconds: 3600 },
      externalId: 'ext',
    });
    const said = {
      rolearn: arn,
      roleduration: '900',
      rolesessionname: 'nightly',
      stsregion: 'eu-west-1',
      stsendpoint: 'https://vpce-1.sts.eu-west-1.vpce.amazonaws.com/',
    };
    const own = readS3Connection(connection(keys, said)).signIn;
    assert.deepEqual(own.kind === 'role' && own.role, {
      arn,
      durationSeconds: 900,
      sessionName: 'nightly',
      region: 'eu-west-1',
      endpoint: 'https://vpce-1.sts.eu-west-1.vpce.amazonaws.com',
    });
  });

  it("assumes a role by the pipeline's OIDC token without a key, and leaves keys that are still there alone", () => {
    const data = { useoidc: 'True', rolearn: arn };
    const wanted = { kind: 'oidc', connectionId: 's3', role: { arn, durationSeconds: 3600 } };
    assert.deepEqual(readS3Connection(connection({}, data)).signIn, wanted);
    assert.deepEqual(readS3Connection(connection(keys, data)).signIn, wanted);
  });

  it('asks the token service of another storage at the same address, over https', () => {
    const minio = readS3Connection(connection(keys, { rolearn: arn }, 'https://minio.example.com')).signIn;
    assert.equal(minio.kind === 'role' && minio.role.endpoint, 'https://minio.example.com');
    assert.throws(() => readS3Connection(connection(keys, { rolearn: arn }, 'http://minio.example.com')), {
      code: 'S3_CONNECTION_INVALID',
      message: /not https/,
    });
  });

  for (const [what, parameters, data, named] of [
    ['only half of its keys', { username: 'KEY' }, {}, /access key/],
    ['neither keys nor a token', {}, { rolearn: arn }, /access key/],
    ['a token and no role', {}, { useoidc: 'true' }, /no role/],
    ['a role that is no ARN', keys, { rolearn: 'model-delivery' }, /'model-delivery' for its role/],
    ['a length below 900 s', keys, { rolearn: arn, roleduration: '60' }, /'60'/],
    ['a length that is no number', keys, { rolearn: arn, roleduration: '1h' }, /'1h'/],
    ['a name with blanks', keys, { rolearn: arn, rolesessionname: 'a b' }, /session name/],
  ] as const) {
    it(`is refused with ${what}`, () => {
      assert.throws(() => readS3Connection(connection(parameters, data)), {
        code: 'S3_CONNECTION_INVALID',
        message: named,
      });
    });
  }
});

interface Descriptor {
  readonly id: string;
  readonly isConfidential: boolean;
  readonly validation: { readonly isRequired: boolean };
}

interface Contribution {
  readonly id: string;
  readonly properties: {
    readonly inputDescriptors: readonly Descriptor[];
    readonly authenticationSchemes: readonly { readonly inputDescriptors: readonly Descriptor[] }[];
  };
}

describe("the connection type's form", () => {
  const manifest = JSON.parse(readFileSync(join(repositoryRoot, 'vss-extension.json'), 'utf8')) as {
    readonly contributions: readonly Contribution[];
  };
  const form = manifest.contributions.find(({ id }) => id === 's3-connection')?.properties;
  const parameters = form?.authenticationSchemes.flatMap((scheme) => scheme.inputDescriptors) ?? [];
  const data = form?.inputDescriptors ?? [];

  it('has every field that is read, where it is read', () => {
    assert.deepEqual(
      parameters.map(({ id }) => id),
      ['username', 'password', 'sessiontoken', 'externalId', 'region'],
    );
    assert.deepEqual(
      data.map(({ id }) => id),
      ['useOidc', 'roleArn', 'roleSessionName', 'roleDuration', 'stsEndpoint', 'stsRegion'],
    );
  });

  it('can be left without a key, and keeps what is secret among the parameters', () => {
    assert.ok([...parameters, ...data].every(({ validation }) => !validation.isRequired));
    assert.deepEqual(
      parameters.filter(({ isConfidential }) => isConfidential).map(({ id }) => id),
      ['password', 'sessiontoken', 'externalId'],
    );
    assert.ok(data.every(({ isConfidential }) => !isConfidential));
  });
});
