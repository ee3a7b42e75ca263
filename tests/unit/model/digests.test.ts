import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { digestsOf } from '../../../src/model/checksums.ts';
import { requireKnownDigests } from '../../../src/model/required.ts';

const hash = (algorithm: string) => createHash(algorithm).update('model').digest();
const [sha256, md5] = [hash('sha256'), hash('md5')];

function read(headers: Readonly<Record<string, string>>, status = 200) {
  return digestsOf(status, (name) => headers[name]);
}

describe('Digests that headers tell', () => {
  for (const [name, value] of [
    ['repr-digest', `md5=:AAAA:, sha-256=:${sha256.toString('base64')}:`],
    ['digest', `SHA-256=${sha256.toString('base64')}`],
    ['x-amz-checksum-sha256', sha256.toString('base64')],
    ['x-amz-meta-sha256', sha256.toString('hex').toUpperCase()],
  ] as const) {
    it(`are the SHA-256 in ${name}`, () =>
      assert.deepEqual(read({ [name]: value }), { sha256: sha256.toString('hex') }));
  }

  it('are no MD5 of a part, and no checksum over the checksums of parts', () => {
    const content = { 'content-md5': md5.toString('base64') };
    assert.deepEqual(read(content), { md5: md5.toString('hex') });
    assert.deepEqual(read(content, 206), {});
    assert.deepEqual(read({ 'x-ms-blob-content-md5': content['content-md5'] }, 206), {
      md5: md5.toString('hex'),
    });
    assert.deepEqual(read({ 'x-amz-checksum-sha256': `${sha256.toString('base64')}-3` }), {});
    const type = { 'x-amz-checksum-type': 'COMPOSITE' };
    assert.deepEqual(read({ 'x-amz-checksum-sha256': sha256.toString('base64'), ...type }), {});
  });

  it("are S3's checksums of whole objects, the strongest first", () => {
    const crc32c = { 'x-amz-checksum-crc32c': '4waSgw==' };
    assert.deepEqual(read(crc32c), { checksum: { algorithm: 'crc32c', value: 'e3069283' } });
    const both = { ...crc32c, 'x-amz-checksum-crc64nvme': 'rosUhgp5mIg=' };
    assert.deepEqual(read(both), { checksum: { algorithm: 'crc64nvme', value: 'ae8b14860a799888' } });
    assert.deepEqual(read({ 'x-amz-checksum-crc32c': '4waSgw==-2' }), {});
    assert.deepEqual(read({ ...crc32c, 'x-amz-checksum-type': 'COMPOSITE' }), {});
  });

  it('are nothing where a value is not one', () =>
    assert.deepEqual(
      read({ 'repr-digest': 'sha-256=:short:', digest: 'sha-256', 'x-amz-meta-sha256': 'none' }),
      {},
    ));
});

describe('A demanded digest', () => {
  const file = { path: 'w', name: 'm/1/w', size: 1, etag: '"1"' };
  const known = (more: Partial<Parameters<typeof requireKnownDigests>[1]>) => () =>
    requireKnownDigests('model m', { files: [file], md5: new Map(), reads: true, ...more });

  it('may come from SHA-256, the whole set or, where bytes are read, MD5', () => {
    assert.doesNotThrow(known({ files: [{ ...file, sha256: 'a'.repeat(64) }] }));
    assert.doesNotThrow(known({ expectedDigest: 'sha256:1' }));
    assert.doesNotThrow(known({ md5: new Map([['w', 'f']]) }));
    const required = { code: 'DIGEST_REQUIRED', message: /1 of 1 file\(s\) of model m: 'w'/ };
    assert.throws(known({ md5: new Map([['w', 'f']]), reads: false }), required);
    assert.throws(known({}), required);
  });
});
