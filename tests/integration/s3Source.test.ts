import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import dns from 'node:dns';
import { readFile } from 'node:fs/promises';
import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { PutObjectCommand } from '@aws-sdk/client-s3';
import type { S3Endpoint } from '../../local/lib/endpoints.ts';
import { DeliveryError, explain } from '../../src/errors.ts';
import { s3Client } from '../../src/model/s3/client.ts';
import { checkedBucket, checkedS3Endpoint, type S3Location } from '../../src/model/s3/location.ts';
import { openS3Store } from '../../src/model/s3/store.ts';
import { isOverload, retryAfter, type StoredFile } from '../../src/model/store.ts';
import { run } from '../../tasks/FetchModel/run.ts';
import { newBucket, s3Connection, s3Location } from '../support/buckets.ts';
import { type SeenRequest, withFaultProxy } from '../support/faultProxy.ts';
import { failureOf as fetchFailure, fetchModel, filesBelow } from '../support/fetch.ts';
import { withFolder } from '../support/folder.ts';
import { recordingHost } from '../support/host.ts';
import { services } from '../support/services.ts';

const { signal } = new AbortController();

async function listed(location: S3Location): Promise<StoredFile[]> {
  const files: StoredFile[] = [];
  for await (const file of openS3Store(location).list('', signal)) files.push(file);
  return files;
}

/** How listing or reading fails, as the log shows it. */
async function failureOf(work: Promise<unknown>): Promise<{ code: string; text: string }> {
  const error = await work.then(
    () => assert.fail('it succeeded'),
    (reason: unknown) => reason,
  );
  assert.ok(error instanceof DeliveryError, String(error));
  return { code: error.code, text: explain(error) };
}

/** A service that answers with one of S3's errors. */
async function withRefusal<T>(
  refusal: {
    readonly status: number;
    readonly code: string;
    readonly message?: string;
    readonly more?: string;
  },
  use: (endpoint: string) => Promise<T>,
  headers: Record<string, string> = {},
): Promise<T> {
  const { status, code, message = code, more = '' } = refusal;
  const answer: RequestListener = (request, response) => {
    request.resume();
    const xml = `<?xml version="1.0"?><Error><Code>${code}</Code><Message>${message}</Message>${more}</Error>`;
    response.writeHead(status, { 'content-type': 'application/xml', ...headers }).end(xml);
  };
  const server = createServer(answer);
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
  try {
    return await use(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
  } finally {
    server.closeAllConnections();
    await new Promise((done) => server.close(done));
  }
}

describe('a model in S3', function () {
  this.timeout(300_000);
  let s3: S3Endpoint;

  before(async () => {
    ({ s3 } = await services('s3'));
  });

  it('is found by the bucket in the path and in the host', async () => {
    const { location, put } = await newBucket(s3);
    await put('credit/1.0/m.bin', 'model');
    assert.equal((await listed({ ...location, addressing: 'path' })).length, 1);
    const lookup = dns.lookup;
    const asked: string[] = [];
    const local = (
      name: string,
      options: dns.LookupAllOptions,
      done: (e: null, a: dns.LookupAddress[]) => void,
    ) => {
      asked.push(name);
      done(null, [{ address: '127.0.0.1', family: 4 }]);
      return options;
    };
    dns.lookup = local as unknown as typeof dns.lookup;
    try {
      const endpoint = `http://localhost:${new URL(s3.url).port}`;
      const [file] = await listed({ ...location, endpoint, addressing: 'host' });
      assert.equal(file?.name, 'credit/1.0/m.bin');
      assert.ok(asked.includes(`${location.bucket}.localhost`));
    } finally {
      dns.lookup = lookup;
    }
  });

  it('is refused with what to change: bucket, key, secret, region', async () => {
    const { location } = await newBucket(s3);
    const missing = await failureOf(listed({ ...location, bucket: `${location.bucket.slice(0, -1)}x` }));
    assert.equal(missing.code, 'BUCKET_NOT_FOUND');
    assert.match(missing.text, new RegExp(`Nearest names: ${location.bucket}`));
    const { credentials } = location;
    assert.ok(credentials);
    const stranger = await failureOf(
      listed({ ...location, credentials: { ...credentials, accessKeyId: 'NOBODY' } }),
    );
    assert.equal(stranger.code, 'STORAGE_KEY_WRONG', stranger.text);
    const secretAccessKey = 'not-the-secret';
    const wrong = await failureOf(listed({ ...location, credentials: { ...credentials, secretAccessKey } }));
    assert.equal(wrong.code, 'STORAGE_KEY_WRONG');
    assert.match(wrong.text, /secret access key does not belong/);
    assert.ok(!wrong.text.includes(secretAccessKey));
    const elsewhere = await failureOf(listed({ ...location, region: 'us-west-2' }));
    assert.equal(elsewhere.code, 'S3_REGION_WRONG', elsewhere.text);
    assert.match(elsewhere.text, new RegExp(`Write '${s3.region}' in 'region'`));
  });

  for (const [refusal, code, text] of [
    [
      {
        status: 403,
        code: 'AccessDenied',
        message: 'User: arn:aws:iam::1:user/ci is not authorized to perform: s3:ListBucket on resource: x',
      },
      'STORAGE_FORBIDDEN',
      /s3:ListBucket is not allowed[\s\S]*Allow s3:ListBucket on arn:aws:s3:::models/,
    ],
    [{ status: 403, code: 'AccessDenied' }, 'STORAGE_FORBIDDEN', /s3:ListBucket/],
    [{ status: 400, code: 'ExpiredToken' }, 'S3_TOKEN_EXPIRED', /session token has expired/],
    [{ status: 403, code: 'RequestTimeTooSkewed' }, 'S3_CLOCK_SKEWED', /clock/],
    [{ status: 301, code: 'PermanentRedirect' }, 'S3_REGION_WRONG', /in 'eu-west-1'/],
  ] as const) {
    it(`is refused with words for ${refusal.code}${'message' in refusal ? ', which names the action' : ''}`, async () => {
      const headers = { 'x-amz-bucket-region': 'eu-west-1' };
      await withRefusal(
        refusal,
        async (url) => {
          const failure = await failureOf(listed(s3Location({ ...s3, url }, 'models')));
          assert.equal(failure.code, code);
          assert.match(failure.text, text);
        },
        headers,
      );
    });
  }

  it('is refused with the action that reading needs', async () => {
    const file = { name: 'credit/1.0/m.bin', size: 5, etag: '"1"' };
    await withRefusal({ status: 403, code: 'AccessDenied' }, async (url) => {
      const store = openS3Store(s3Location({ ...s3, url }, 'models'));
      const failure = await failureOf(store.read(file, { signal }));
      assert.match(failure.text, /Allow s3:GetObject on arn:aws:s3:::models\/\*/);
    });
    await withRefusal({ status: 403, code: 'InvalidObjectState' }, async (url) => {
      const store = openS3Store(s3Location({ ...s3, url }, 'models'));
      assert.equal((await failureOf(store.read(file, { signal }))).code, 'MODEL_ARCHIVED');
    });
  });

  it('is waited for as long as an overloaded service asks', async () => {
    await withRefusal(
      { status: 503, code: 'SlowDown' },
      async (url) => {
        const read = openS3Store(s3Location({ ...s3, url }, 'models')).read(
          { name: 'm', size: 5, etag: '"1"' },
          { signal },
        );
        await assert.rejects(read, (error) => isOverload(error) && retryAfter(error) === 7000);
      },
      { 'retry-after': '7' },
    );
  });

  it('arrives whole over a connection that breaks again and again', () =>
    withFolder(async (folder) => {
      const { location, put } = await newBucket(s3);
      const weights = randomBytes(20_000_000);
      await put('credit/1.0/m.bin', weights);
      let reads = 0;
      const rule = ({ method, path }: SeenRequest) => {
        const isRead = method === 'GET' && path.endsWith('/m.bin');
        if (isRead) reads += 1;
        return isRead && reads % 2 === 1 ? ({ kind: 'reset', afterBytes: 1_000_000 } as const) : undefined;
      };
      await withFaultProxy(s3.url, rule, async (proxy) => {
        const parameters = { username: s3.accessKeyId, password: s3.secretAccessKey, region: s3.region };
        const connection = { id: 'c', url: proxy.url, scheme: 'UsernamePassword', parameters, data: {} };
        const target = join(folder, 'model');
        const inputs = {
          source: 's3',
          s3Connection: 'c',
          bucket: location.bucket,
          model: 'credit',
          targetFolder: target,
        };
        await run(recordingHost({ inputs, connections: [connection], workingFolder: folder }).host);
        assert.ok(weights.equals(await readFile(join(target, 'm.bin'))));
        assert.ok(reads > 3);
      });
    }));

  it('is told as unreachable by its address', async () => {
    const url = await withRefusal({ status: 403, code: 'x' }, async (address) => address);
    const read = openS3Store(s3Location({ ...s3, url }, 'models')).read(
      { name: 'm', size: 5, etag: '"1"' },
      { signal },
    );
    assert.equal((await failureOf(read)).code, 'STORAGE_UNREACHABLE');
  });

  it('verifies the checksums that the service keeps, without being told to', () =>
    withFolder(async (folder) => {
      const { location } = await newBucket(s3);
      const content = randomBytes(3 * 1024 * 1024);
      const algorithms = ['CRC32', 'CRC32C', 'SHA1', 'SHA256'] as const;
      for (const ChecksumAlgorithm of algorithms) {
        const Key = `m-${ChecksumAlgorithm}/1/weights`;
        const put = { Bucket: location.bucket, Key, Body: content, ChecksumAlgorithm };
        await s3Client(location, 2).send(new PutObjectCommand(put));
      }
      // What lies on the service's disk is damaged now and then; here it is on its way.
      let damaged = true;
      const rule = ({ method }: SeenRequest) =>
        damaged && method === 'GET' ? ({ kind: 'flip', at: 500_000 } as const) : undefined;
      await withFaultProxy(s3.url, rule, async ({ url }) => {
        for (const algorithm of algorithms) {
          const inputs = {
            ...{ source: 's3', s3Connection: 's3', bucket: location.bucket },
            ...{ model: `m-${algorithm}`, targetFolder: join(folder, algorithm) },
          };
          damaged = true;
          const { code, text } = await fetchFailure(inputs, undefined, [s3Connection({ ...s3, url })]);
          assert.equal(code, 'MODEL_CORRUPT');
          assert.match(text, new RegExp(`its ${algorithm.slice(0, 3)}-`));
          assert.deepEqual(await filesBelow(join(folder, algorithm)), []);
          damaged = false;
          await fetchModel(inputs, undefined, [s3Connection({ ...s3, url })]);
          assert.ok(content.equals(await readFile(join(folder, algorithm, 'weights'))));
        }
      });
    }));
});

describe('a place in S3', () => {
  it('has a name and an address that S3 knows', () => {
    assert.equal(checkedBucket('models.eu-1'), 'models.eu-1');
    for (const name of ['s3://models', 'Models', 'a', 'a..b']) {
      assert.throws(() => checkedBucket(name), { code: 'INPUT_INVALID' });
    }
    assert.throws(() => checkedS3Endpoint('https://key:geheim@minio', 's3Endpoint'), {
      code: 'INPUT_INVALID',
    });
  });
});
