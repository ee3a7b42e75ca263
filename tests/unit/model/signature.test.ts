import assert from 'node:assert/strict';
import { createHash, generateKeyPairSync, type KeyObject, sign, X509Certificate } from 'node:crypto';
import { generate } from 'selfsigned';
import { inTotoType, preAuthenticationEncoding } from '../../../src/dsse.ts';
import { DeliveryError } from '../../../src/errors.ts';
import { maySign } from '../../../src/model/signature/keyUsage.ts';
import type { Trust } from '../../../src/model/signature/trust.ts';
import { verifySignature } from '../../../src/model/signature/verify.ts';

const pair = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const trust: Trust = { kind: 'key', key: pair.publicKey };

const digest = createHash('sha256').update('weights').digest('hex');
const root = createHash('sha256').update(Buffer.from(digest, 'hex')).digest('hex');

const statement = {
  _type: 'https://in-toto.io/Statement/v1',
  subject: [{ name: 'credit', digest: { sha256: root } }],
  predicateType: 'https://model_signing/signature/v1.0',
  predicate: {
    serialization: { method: 'files', hash_type: 'sha256', ignore_paths: ['.git'] },
    resources: [{ name: 'model.onnx', algorithm: 'sha256', digest }],
  },
};

/** A bundle over any content, rightly signed. */
function bundleOf(content: object, changes: object = {}, key: KeyObject = pair.privateKey): string {
  const payload = Buffer.from(JSON.stringify(content));
  const sig = sign('sha256', preAuthenticationEncoding(inTotoType, payload), key).toString('base64');
  return JSON.stringify({
    mediaType: 'application/vnd.dev.sigstore.bundle.v0.3+json',
    verificationMaterial: { publicKey: {}, tlogEntries: [] },
    dsseEnvelope: {
      payloadType: 'application/vnd.in-toto+json',
      payload: payload.toString('base64'),
      signatures: [{ sig, keyid: '' }],
    },
    ...changes,
  });
}

function refusal(text: string, by: Trust = trust): string {
  try {
    verifySignature(text, by);
  } catch (error) {
    assert.ok(error instanceof DeliveryError);
    assert.equal(error.code, 'SIGNATURE_INVALID');
    return error.message;
  }
  return assert.fail('it was accepted');
}

describe("a model's signature", () => {
  it('gives the files that were signed, and what was left out', () => {
    const signed = verifySignature(bundleOf(statement), trust);
    assert.deepEqual([...signed.files], [['model.onnx', digest]]);
    assert.deepEqual(signed.ignored, ['.git']);
  });

  const other = { ...statement.predicate };
  const wrong: readonly (readonly [string, string, RegExp])[] = [
    ['that is no JSON', '-----BEGIN', /is not JSON/],
    ['of another bundle version', bundleOf(statement, { mediaType: 'x' }), /media type is "x"/],
    ['without an envelope', bundleOf(statement, { dsseEnvelope: {} }), /has no payload/],
    [
      'made keyless',
      bundleOf(statement, { verificationMaterial: { certificate: { rawBytes: 'AA==' } } }),
      /was made keyless/,
    ],
    [
      'by another key',
      bundleOf(statement, {}, generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey),
      /did not sign this content/,
    ],
    ['over another statement', bundleOf({ ...statement, predicateType: 'slsa' }), /predicate is "slsa"/],
    [
      'over parts of files',
      bundleOf({ ...statement, predicate: { ...other, serialization: { method: 'shards' } } }),
      /is over "shards"/,
    ],
    [
      'with another hash',
      bundleOf({
        ...statement,
        predicate: { ...other, resources: [{ name: 'a', algorithm: 'blake3', digest }] },
      }),
      /hashes 'a' by "blake3"/,
    ],
    [
      'whose files do not make its subject',
      bundleOf({ ...statement, predicate: { ...other, resources: [] } }),
      /contradicts itself/,
    ],
  ];
  for (const [what, text, message] of wrong) {
    it(`${what} is refused`, () => assert.match(refusal(text), message));
  }

  it('by a bare key does not count where certificates are trusted', async () => {
    const made = await generate([{ name: 'commonName', value: 'root' }], { keyType: 'ec' });
    const authorities: Trust = { kind: 'authorities', certificates: [new X509Certificate(made.cert)] };
    assert.match(refusal(bundleOf(statement), authorities), /is by a key without certificate/);
  });
});

describe("a certificate's key", () => {
  const certificate = async (extensions: Parameters<typeof generate>[1]): Promise<Buffer> =>
    new X509Certificate((await generate([{ name: 'commonName', value: 'x' }], extensions)).cert).raw;

  it('may sign when its usage is digital signature or code signing, and not otherwise', async () => {
    const usages = await Promise.all([
      certificate({ keyType: 'ec', extensions: [{ name: 'keyUsage', digitalSignature: true }] }),
      certificate({ keyType: 'ec', extensions: [{ name: 'extKeyUsage', codeSigning: true }] }),
      certificate({ keyType: 'ec', extensions: [{ name: 'keyUsage', keyCertSign: true }] }),
      certificate({ keyType: 'ec', extensions: [{ name: 'extKeyUsage', serverAuth: true }] }),
    ]);
    assert.deepEqual(usages.map(maySign), [true, true, false, false]);
  });
});
