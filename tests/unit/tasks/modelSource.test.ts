import assert from 'node:assert/strict';
import type { ServiceConnection } from '../../../src/host/host.ts';
import { readInputs } from '../../../src/host/inputs.ts';
import { createLock, type LockedSource } from '../../../src/model/lock.ts';
import type { ModelSource } from '../../../src/model/open.ts';
import { fields } from '../../../tasks/BuildModelImage/fields.ts';
import { readModel } from '../../../tasks/BuildModelImage/modelInput.ts';
import { recordingHost } from '../../support/host.ts';

function connection(id: string, url: string, data: Readonly<Record<string, string>> = {}): ServiceConnection {
  const parameters = { username: 'reader', password: 'a-long-password' };
  return { id, url, scheme: 'UsernamePassword', parameters, data };
}

const connections = [
  connection('aws', 'https://aws.amazon.com/'),
  connection('minio', 'https://minio.example.com:9000'),
  connection('web', 'https://models.example.com/'),
  connection('hub', 'https://registry.example.com', { registrytype: 'Others' }),
];

/** Where the inputs let in to, for a model that was found in `source`. */
function opened(source: LockedSource, inputs: Readonly<Record<string, string>>): ModelSource | undefined {
  const { host } = recordingHost({
    workingFolder: '/work',
    inputs: { modelLock: 'model.lock.json', ...inputs },
    connections,
  });
  const files = [{ path: 'w', name: 'm/1/w', size: 1, etag: '"1"' }];
  const lock = createLock({ name: 'm', version: '1', source, files });
  return readModel(host, readInputs(host, fields))?.sourceOf?.(lock);
}

describe('the source of a model that was only resolved', () => {
  it('is read by the connection of its kind, which alone is enough', () => {
    const s3 = opened(
      { type: 's3', url: 'https://s3.eu-central-1.amazonaws.com/models' },
      { modelS3Connection: 'aws' },
    );
    assert.ok(s3?.type === 's3');
    assert.equal(s3.location.region, 'eu-central-1');
    assert.equal(s3.location.endpoint, undefined);
    assert.equal(s3.location.credentials?.accessKeyId, 'reader');
    const fips = opened(
      { type: 's3', url: 'https://s3-fips.us-east-1.amazonaws.com/models' },
      { modelS3Connection: 'aws' },
    );
    assert.ok(fips?.type === 's3' && fips.location.endpoint === 'https://s3-fips.us-east-1.amazonaws.com');
    assert.equal(fips.location.region, 'us-east-1');
    const own = opened(
      { type: 's3', url: 'https://minio.example.com:9000/models' },
      { modelS3Connection: 'minio' },
    );
    assert.ok(own?.type === 's3' && own.location.endpoint === 'https://minio.example.com:9000');
    const url = 'https://models.example.com/m/index.json';
    const http = opened({ type: 'http', url }, { modelHttpConnection: 'web' });
    assert.ok(http?.type === 'http' && http.location.credentials?.username === 'reader');
    const signed = opened({ type: 'http', url }, { modelUrl: `${url}?sig=abc` });
    assert.ok(signed?.type === 'http' && signed.location.url.endsWith('?sig=abc'));
    const oci = opened({ type: 'oci', url: 'https://registry.example.com/team/m' }, { modelRegistry: 'hub' });
    assert.ok(oci?.type === 'oci' && oci.location.repository === 'team/m');
    const here = { modelAuthentication: 'serviceConnection', containerRegistry: 'hub' };
    const same = opened({ type: 'oci', url: 'https://registry.example.com/team/m' }, here);
    assert.ok(same?.type === 'oci' && same.location.credentials?.username === 'reader');
    const mlflow = opened(
      { type: 'mlflow', url: 'https://models.example.com' },
      { modelServerConnection: 'web' },
    );
    const hub = opened(
      { type: 'huggingFace', url: 'https://models.example.com/m' },
      { modelServerConnection: 'web' },
    );
    assert.ok(hub?.type === 'huggingFace' && hub.location.url === 'https://models.example.com');
    assert.ok(mlflow?.type === 'mlflow' && mlflow.location.authorization?.startsWith('Basic '));
    const open = opened(
      { type: 'oci', url: 'http://localhost:5000/m' },
      { modelAuthentication: 'anonymous' },
    );
    assert.ok(open?.type === 'oci' && open.location.registryUrl === 'http://localhost:5000');
  });

  it('gets no credential that is for another place, whatever the lock says', () => {
    const cases: readonly (readonly [LockedSource, Readonly<Record<string, string>>])[] = [
      [{ type: 's3', url: 'https://evil.example.org/models' }, { modelS3Connection: 'aws' }],
      [{ type: 's3', url: 'http://s3-fips.us-east-1.amazonaws.com/models' }, { modelS3Connection: 'aws' }],
      [{ type: 's3', url: 'https://s3.eu-central-1.amazonaws.com/models' }, { modelS3Connection: 'minio' }],
      [{ type: 's3', url: 'https://evil.example.org/models' }, { modelAuthentication: 'environment' }],
      [{ type: 'http', url: 'https://evil.example.org/m.bin' }, { modelHttpConnection: 'web' }],
      [{ type: 'http', url: 'https://evil.example.org/m.bin' }, { modelUrl: 'https://a.example.com/m?s=1' }],
      [{ type: 'oci', url: 'https://evil.example.org/m' }, { modelRegistry: 'hub' }],
      [{ type: 'mlflow', url: 'https://evil.example.org' }, { modelServerConnection: 'web' }],
      [{ type: 'huggingFace', url: 'https://evil.example.org/m' }, { modelServerConnection: 'web' }],
      [{ type: 'oci', url: 'http://registry.example.com/m' }, { modelRegistry: 'hub' }],
    ];
    for (const [source, inputs] of cases) {
      assert.throws(() => opened(source, inputs), { code: 'INPUT_INVALID' }, source.url);
    }
  });

  it('is refused with an authentication of another kind of source', () => {
    const source: LockedSource = { type: 's3', url: 'https://s3.eu-central-1.amazonaws.com/models' };
    assert.throws(() => opened(source, { modelAuthentication: 'anonymous' }), {
      code: 'MODEL_SOURCE_UNSUPPORTED',
    });
  });
});
