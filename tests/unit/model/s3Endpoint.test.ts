import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import { GetObjectCommand } from '@aws-sdk/client-s3';
import type { ServiceConnection } from '../../../src/host/host.ts';
import { s3Client } from '../../../src/model/s3/client.ts';
import { readS3Connection } from '../../../src/model/s3/connection.ts';
import { createSigner } from '../../../src/model/s3/direct.ts';
import { awsEndpoint, chosenEndpoint } from '../../../src/model/s3/endpoint.ts';

const keys = { username: 'KEY', password: 'secret' };
const arn = 'arn:aws:iam::111122223333:role/reader';

function connection(
  url: string,
  parameters: Record<string, string> = keys,
  data: Record<string, string> = {},
): ServiceConnection {
  return { id: 's3', url, scheme: 'UsernamePassword', parameters, data };
}

describe("an address of Amazon's S3", () => {
  it('is kept where it is not the usual one, and names the region', () => {
    for (const [host, region] of [
      ['bucket.vpce-1a2b3c4d-5e6f.s3.us-east-1.vpce.amazonaws.com', 'us-east-1'],
      ['bucket.vpce-1a2b3c4d-5e6f-us-east-1a.s3.us-east-1.vpce.amazonaws.com', 'us-east-1'],
      ['s3-fips.us-gov-west-1.amazonaws.com', 'us-gov-west-1'],
      ['s3.dualstack.eu-central-1.amazonaws.com', 'eu-central-1'],
      ['s3-fips.dualstack.ca-central-1.amazonaws.com', 'ca-central-1'],
      ['s3.dualstack.cn-north-1.amazonaws.com.cn', 'cn-north-1'],
    ] as const) {
      const read = readS3Connection(connection(`https://${host}/`));
      assert.deepEqual([read.endpoint, read.region], [`https://${host}`, region]);
    }
  });

  it('is left to the region where it is the usual one, which names the region too', () => {
    for (const [url, region] of [
      ['https://s3.amazonaws.com/', undefined],
      ['https://s3.eu-north-1.amazonaws.com', 'eu-north-1'],
      ['https://s3-eu-west-1.amazonaws.com', 'eu-west-1'],
      ['https://eu-central-1.console.aws.amazon.com/s3', undefined],
    ] as const) {
      const read = readS3Connection(connection(url));
      assert.deepEqual([read.endpoint, read.region], [undefined, region]);
    }
    const own = readS3Connection(
      connection('https://s3.eu-north-1.amazonaws.com', { ...keys, region: 'x-1' }),
    );
    assert.equal(own.region, 'x-1');
  });

  it('does not lend its host to the token service', () => {
    const url = 'https://s3-fips.us-east-1.amazonaws.com';
    const { signIn } = readS3Connection(connection(url, keys, { rolearn: arn }));
    assert.equal(signIn.kind === 'role' && signIn.role.endpoint, undefined);
  });

  it("is told from what Amazon's customers may own below the same domain", () => {
    for (const host of [
      'ec2-1-2-3-4.compute-1.amazonaws.com',
      's3.us-east-1.elb.amazonaws.com',
      'x.execute-api.us-east-1.amazonaws.com',
      's3.us-east-1.amazonaws.com.example.org',
      'bucket.vpce-svc-1.us-east-1.vpce.amazonaws.com',
    ]) {
      assert.equal(awsEndpoint(`https://${host}`), undefined, host);
    }
  });

  it('has the bucket in its host name, as the usual ones have', async () => {
    const endpoint = 'https://s3-fips.us-east-1.amazonaws.com';
    const location = { bucket: 'models', region: 'us-east-1', endpoint, addressing: 'auto' } as const;
    const sign = createSigner({ ...location, credentials: { accessKeyId: 'K', secretAccessKey: 's' } });
    const { url } = await sign(new GetObjectCommand({ Bucket: 'models', Key: 'm' }), '"1"');
    assert.match(url, /^https:\/\/models\.s3-fips\.us-east-1\.amazonaws\.com\/m/);
  });
});

describe("a connection's credentials for S3", () => {
  const insecure = { code: 'S3_ENDPOINT_INSECURE' };

  it('do not follow the input to another address', () => {
    const minio = readS3Connection(connection('https://minio.example.com:9000/'));
    const aws = readS3Connection(connection('https://s3.amazonaws.com/'));
    assert.equal(chosenEndpoint('https://minio.example.com:9000', minio), 'https://minio.example.com:9000');
    assert.equal(chosenEndpoint(undefined, minio), 'https://minio.example.com:9000');
    for (const [given, made] of [
      ['https://evil.example.org', minio],
      ['http://minio.example.com:9000', minio],
      ['http://127.0.0.1:9000', minio],
      ['https://s3.eu-central-1.amazonaws.com', minio],
      ['https://evil.example.org', aws],
      ['https://ec2-1-2-3-4.compute-1.amazonaws.com', aws],
    ] as const) {
      assert.throws(() => chosenEndpoint(given, made), { code: 'S3_ENDPOINT_ELSEWHERE' }, given);
    }
  });

  it('go to another address of the S3 that they are for, by https', () => {
    const aws = readS3Connection(connection('https://s3.amazonaws.com/'));
    const fips = 'https://s3-fips.us-east-1.amazonaws.com';
    assert.equal(chosenEndpoint(`${fips}/`, aws), fips);
    assert.throws(() => chosenEndpoint(fips.replace('https', 'http'), aws), insecure);
  });

  it('with a session go by https alone, or to this machine', () => {
    const session = { ...keys, sessiontoken: 'token' };
    const stsendpoint = 'https://sts.example.com';
    for (const [parameters, data] of [
      [session, {}],
      [keys, { rolearn: arn, stsendpoint }],
      [{}, { useoidc: 'true', rolearn: arn, stsendpoint }],
    ] as const) {
      const at = (url: string) => readS3Connection(connection(url, parameters, data)).endpoint;
      assert.throws(() => at('http://minio.example.com:9000'), insecure);
      assert.throws(() => at('http://127.0.0.1.example.com'), insecure);
      for (const own of ['http://127.0.0.1:9000', 'http://localhost:9000', 'http://[::1]:9000']) {
        assert.equal(at(own), own);
      }
    }
  });

  it('without a session go by http where the connection itself says so', () => {
    const { endpoint } = readS3Connection(connection('http://minio.example.com:9000'));
    assert.equal(endpoint, 'http://minio.example.com:9000');
  });

  it("with the environment's session are not sent unencrypted either", async () => {
    let asked = 0;
    const server = createServer((request, response) => {
      asked += 1;
      request.resume();
      response.end();
    });
    await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
    const address = server.address();
    assert.ok(typeof address === 'object' && address !== null);
    // 0.0.0.0 leads to the same server, and is not an address of this machine alone.
    for (const [host, refused] of [
      ['127.0.0.1', false],
      ['0.0.0.0', true],
    ] as const) {
      const endpoint = `http://${host}:${address.port}`;
      const location = { bucket: 'models', region: 'us-east-1', endpoint, addressing: 'path' } as const;
      const credentials = { accessKeyId: 'K', secretAccessKey: 's', sessionToken: 't' };
      const client = s3Client({ ...location, credentials }, 1);
      const read = client.send(new GetObjectCommand({ Bucket: 'models', Key: 'm' }));
      if (refused) await assert.rejects(read, insecure);
      else await read;
      client.destroy();
    }
    assert.equal(asked, 1);
    server.closeAllConnections();
    await new Promise((done) => server.close(done));
  });
});
