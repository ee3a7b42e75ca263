import assert from 'node:assert/strict';
import { join, resolve } from 'node:path';
import type { AzureBlobLocation } from '../../../src/model/azureBlob/location.ts';
import { type FetchInputs, readFetchInputs } from '../../../tasks/FetchModel/inputs.ts';
import { recordingHost } from '../../support/host.ts';

const key = Buffer.alloc(64, 7).toString('base64');
const sas = 'sv=2024-11-04&sp=rl&sr=c&se=2030-01-01T00%3A00%3A00Z&sig=c2lnbmF0dXJl%2Bsecret';
const minimal = { storageAccount: 'datascience', container: 'models', accountKey: key, model: 'credit' };

function read(inputs: Record<string, string>, variables: Record<string, string> = {}) {
  const { host, said } = recordingHost({ inputs, variables, workingFolder: '/agent/s' });
  return { inputs: readFetchInputs(host) as FetchInputs, said };
}

function blobLocation(inputs: FetchInputs): AzureBlobLocation {
  assert.equal(inputs.source.type, 'azureBlob');
  return inputs.source.location as AzureBlobLocation;
}

describe("FetchModel's inputs", () => {
  it('have defaults for all but the place and the model', () => {
    const { inputs, said } = read(minimal, { 'Pipeline.Workspace': '/agent' });
    assert.deepEqual(inputs, {
      source: {
        type: 'azureBlob',
        location: {
          endpoint: 'https://datascience.blob.core.windows.net',
          container: 'models',
          credential: { kind: 'accountKey', account: 'datascience', key },
        },
      },
      wanted: {
        model: 'credit',
        policy: { kind: 'latestModified' },
        files: ['**'],
        ready: { quietSeconds: 0 },
      },
      mode: 'download',
      onChange: 'restart',
      requireDigest: false,
      scan: 'warn',
      signature: { mode: 'auto', file: 'model.sig' },
      targetFolder: join('/agent', 'model'),
    });
    assert.deepEqual(said.secrets, [key]);
  });

  it('take slashes off the model and relative folders from the working folder', () => {
    const { inputs } = read({ ...minimal, model: '/risk/credit/', targetFolder: 'out/model' });
    assert.equal(inputs.wanted.model, 'risk/credit');
    assert.equal(inputs.targetFolder, resolve('/agent/s', 'out/model'));
  });

  it('take the account from an endpoint, path-style or by host name', () => {
    const account = (blobEndpoint: string): string => {
      const { storageAccount: _, ...rest } = minimal;
      const { credential } = blobLocation(read({ ...rest, blobEndpoint }).inputs);
      return credential.kind === 'accountKey' ? credential.account : '';
    };
    assert.equal(account('http://127.0.0.1:10000/models1/'), 'models1');
    assert.equal(account('https://datascience.blob.core.chinacloudapi.cn'), 'datascience');
  });

  it('register every secret, also within a connection string and the signature of a SAS', () => {
    const byString = read({
      ...minimal,
      authentication: 'connectionString',
      connectionString: `DefaultEndpointsProtocol=https;AccountName=acc;AccountKey=${key};EndpointSuffix=core.windows.net`,
    });
    assert.ok(byString.said.secrets.includes(key));
    assert.equal(blobLocation(byString.inputs).endpoint, 'https://acc.blob.core.windows.net');
    const bySas = read({ ...minimal, authentication: 'sas', sasToken: `?${sas}` });
    assert.ok(bySas.said.secrets.includes('c2lnbmF0dXJl+secret'));
    assert.deepEqual(blobLocation(bySas.inputs).credential, { kind: 'sas', token: sas });
  });

  it('choose the policy by its name, with a version or range where it takes one', () => {
    const policy = (versionPolicy: string, version = '') =>
      read({ ...minimal, versionPolicy, version }).inputs.wanted.policy;
    assert.deepEqual(policy('exact', '1.0'), { kind: 'exact', version: '1.0' });
    for (const range of ['^2.1', '~1.4.0', '>=1.4 <2', '1.x', '1.0.0 - 2.0.0', '1 || 3']) {
      assert.deepEqual(policy('exact', range), { kind: 'latestSemver', range });
    }
    for (const name of ['2024-07-01', 'v2-xl', 'x86', 'run_17']) {
      assert.deepEqual(policy('exact', name), { kind: 'exact', version: name });
    }
    assert.deepEqual(policy('latestSemver', '^2'), { kind: 'latestSemver', range: '^2' });
    assert.deepEqual(policy('LATESTNAME'), { kind: 'latestName' });
  });

  for (const [what, inputs, code, named] of [
    ['a missing model', { ...minimal, model: '' }, 'INPUT_MISSING', 'model'],
    ['a missing key', { ...minimal, accountKey: '' }, 'INPUT_MISSING', 'accountKey'],
    ['a source that is not there yet', { ...minimal, source: 'azureMl' }, 'INPUT_INVALID', 'azureBlob'],
    ['a URL for the account', { ...minimal, storageAccount: 'https://x' }, 'INPUT_INVALID', 'storageAccount'],
    ['a key that is none', { ...minimal, accountKey: 'hunter2!' }, 'INPUT_INVALID', 'accountKey'],
    ['a variable without value', { ...minimal, accountKey: '$(storageKey)' }, 'INPUT_INVALID', 'storageKey'],
    ['a container name', { ...minimal, container: 'My_Models' }, 'INPUT_INVALID', 'container'],
    ['exact without version', { ...minimal, versionPolicy: 'exact' }, 'INPUT_MISSING', 'version'],
    [
      'a version with a slash',
      { ...minimal, versionPolicy: 'exact', version: 'a/b' },
      'INPUT_INVALID',
      'version',
    ],
    ['no range', { ...minimal, versionPolicy: 'latestSemver', version: 'new' }, 'INPUT_INVALID', 'version'],
    ['a digest that is none', { ...minimal, expectedDigest: 'sha256:12' }, 'INPUT_INVALID', 'expectedDigest'],
    [
      'an endpoint with a SAS',
      { ...minimal, blobEndpoint: `https://a.b/?${sas}` },
      'INPUT_INVALID',
      'blobEndpoint',
    ],
    [
      'a SAS URL',
      { ...minimal, authentication: 'sas', sasToken: `https://a?${sas}` },
      'INPUT_INVALID',
      'sasToken',
    ],
  ] as const) {
    it(`refuse ${what}, name it and keep secrets back`, () => {
      assert.throws(
        () => read(inputs),
        (error: Error & { code?: string; remedy?: string }) => {
          const text = `${error.message} ${error.remedy}`;
          assert.equal(error.code, code);
          assert.ok(text.includes(named), text);
          assert.ok(!text.includes('c2lnbmF0dXJl') && !text.includes('hunter2'), text);
          return true;
        },
      );
    });
  }

  it('name a bucket, with keys and region of the connection or the environment', () => {
    const inputs = { source: 's3', bucket: 'models', model: 'credit' };
    const location = (more: Record<string, string>, environment: Record<string, string> = {}) => {
      const parameters = { username: 'KEY', password: 'the-secret', region: 'eu-north-1' };
      const connection = {
        id: 's3',
        url: 'https://minio.example.com',
        scheme: 'UsernamePassword',
        parameters,
        data: {},
      };
      const settings = {
        inputs: { ...inputs, ...more },
        connections: [connection],
        workingFolder: '/agent/s',
      };
      const { host, said } = recordingHost(settings);
      return { source: readFetchInputs({ ...host, environment }).source, said };
    };
    const { source, said } = location({ s3Connection: 's3', s3Addressing: 'host' });
    assert.deepEqual(source, {
      type: 's3',
      location: {
        bucket: 'models',
        region: 'eu-north-1',
        addressing: 'host',
        endpoint: 'https://minio.example.com',
        credentials: { accessKeyId: 'KEY', secretAccessKey: 'the-secret' },
      },
    });
    assert.ok(said.secrets.includes('the-secret'));
    const own = location({}, { AWS_REGION: 'eu-west-1' }).source;
    assert.deepEqual(own.location, { bucket: 'models', region: 'eu-west-1', addressing: 'auto' });
    assert.throws(() => location({}), { code: 'INPUT_MISSING' });
  });

  it('name an address, whose signature is masked, and a repository', () => {
    const web = read({
      source: 'http',
      url: 'https://h.example/m.bin?sig=0123456789abcdef0',
      model: 'credit',
    });
    assert.deepEqual(web.said.secrets, ['0123456789abcdef0']);
    assert.deepEqual(web.inputs.source.type, 'http');
    const { source } = read({ source: 'oci', reference: 'ghcr.io/team/credit:1.0', model: 'credit' }).inputs;
    assert.deepEqual(source.location, {
      registryUrl: 'https://ghcr.io',
      repository: 'team/credit',
      version: '1.0',
      model: 'credit',
    });
  });

  it("name an address with a connection's password only on that connection's server", () => {
    const connection = {
      ...{ id: 'web', url: 'https://models.example.com/', scheme: 'UsernamePassword', data: {} },
      parameters: { username: 'u', password: 'p-secret' },
    };
    const located = (url: string) => {
      const inputs = { source: 'http', model: 'credit', httpConnection: 'web', url };
      const { host } = recordingHost({ inputs, connections: [connection], workingFolder: '/agent/s' });
      return readFetchInputs(host).source.location;
    };
    const url = 'https://models.example.com/credit/index.json';
    assert.deepEqual(located(url), { url, model: 'credit', credentials: connection.parameters });
    for (const other of ['https://evil.example.org/m.bin', 'http://models.example.com/m.bin']) {
      assert.throws(() => located(other), { code: 'INPUT_INVALID' }, other);
    }
  });

  it('name a model server, by address or by a connection whose password or token goes there alone', () => {
    const located = (more: Record<string, string>, parameters: Record<string, string> = {}) => {
      const connection = {
        ...{ id: 'server', url: 'https://models.example.com/mlflow/', scheme: 'UsernamePassword' },
        ...{ parameters, data: {} },
      };
      const inputs = { source: 'mlflow', model: 'credit', ...more };
      const { host, said } = recordingHost({ inputs, connections: [connection], workingFolder: '/agent/s' });
      return { location: readFetchInputs(host).source.location, secrets: said.secrets };
    };
    const named = { modelServerConnection: 'server' };
    const password = located({ ...named, versionTag: 'release' }, { username: 'u', password: 'p-secret' });
    assert.deepEqual(password.location, {
      url: 'https://models.example.com/mlflow',
      authorization: `Basic ${Buffer.from('u:p-secret').toString('base64')}`,
      versionTag: 'release',
    });
    assert.deepEqual(password.secrets, ['p-secret']);
    const token = located(named, { username: '', password: 'a-token' }).location;
    assert.deepEqual(token, { url: 'https://models.example.com/mlflow', authorization: 'Bearer a-token' });
    const open = { modelServer: 'http://localhost:5000' };
    assert.deepEqual(located(open).location, { url: 'http://localhost:5000' });
    const elsewhere = { ...named, modelServer: 'https://evil.example.org' };
    const hub = { source: 'huggingFace', model: 'risk/credit' };
    assert.deepEqual(located(hub).location, { url: 'https://huggingface.co', model: 'risk/credit' });
    assert.throws(() => located({ ...hub, model: 'a/b/c' }), { code: 'INPUT_INVALID' });
    assert.throws(() => located(elsewhere, { password: 'a-token' }), { code: 'INPUT_INVALID' });
    assert.throws(() => located(named), { code: 'INPUT_INVALID' });
    assert.throws(() => located({}), { code: 'INPUT_MISSING' });
    assert.throws(() => located({ ...open, model: 'team/credit' }), { code: 'INPUT_INVALID' });
    assert.throws(() => located({ modelServer: 'https://u:p@models.example.com' }), {
      code: 'INPUT_INVALID',
    });
  });
});
