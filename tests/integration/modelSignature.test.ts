import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import { cp, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { generate } from 'selfsigned';
import type { StorageEndpoint } from '../../local/lib/endpoints.ts';
import { parseLock } from '../../src/model/lock.ts';
import { newContainer, publish } from '../support/blobs.ts';
import { failureOf, fetchModel, filesBelow, keyInputs } from '../support/fetch.ts';
import { withFolder } from '../support/folder.ts';
import { modelSigningTool, signModel } from '../support/modelSigning.ts';
import { services } from '../support/services.ts';

type Container = Awaited<ReturnType<typeof newContainer>>;

/** Uploads a folder of two levels as a version of the model. */
async function publishFolder(container: Container, folder: string, version: string): Promise<void> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  for (const entry of entries.filter((it) => it.isFile())) {
    const path = join(entry.parentPath, entry.name);
    const below = path.slice(folder.length + 1).replaceAll('\\', '/');
    await publish(container, { [`credit/${version}/${below}`]: await readFile(path) });
  }
}

/** A new key pair: `secret.pem` and `open.pem`. */
async function writeKeys(folder: string): Promise<string> {
  const pair = generateKeyPairSync('ec', { namedCurve: 'P-384' });
  const secret = join(folder, 'secret.pem');
  const open = join(folder, 'open.pem');
  await writeFile(secret, pair.privateKey.export({ type: 'sec1', format: 'pem' }));
  await writeFile(open, pair.publicKey.export({ type: 'spki', format: 'pem' }));
  return secret;
}

interface Authority {
  readonly file: string;
  readonly key: string;
  readonly certificate: string;
}

async function writeAuthority(folder: string, name: string): Promise<Authority> {
  const made = await generate([{ name: 'commonName', value: name }], {
    keyType: 'ec',
    extensions: [
      { name: 'basicConstraints', cA: true, critical: true },
      { name: 'keyUsage', keyCertSign: true },
    ],
  });
  const file = join(folder, `${name}.pem`);
  await writeFile(file, made.cert);
  return { file, key: made.private, certificate: made.cert };
}

describe("a model that is signed by OpenSSF's own tool", function () {
  this.timeout(180_000);
  let storage: StorageEndpoint;
  let tool: string;
  let container: Container;
  let signed: string;

  before(async () => {
    [{ storage }, tool] = await Promise.all([services('storage'), modelSigningTool()]);
    // Signed once, copied by each test: starting the tool takes longer than all that is tested here.
    signed = await mkdtemp(join(tmpdir(), 'model-signature-'));
    await byKey(join(signed, 'key'));
    await byCertificate(join(signed, 'certificate'));
  });

  after(() => rm(signed, { recursive: true, force: true }));

  /** A folder with a model to sign, and whatever signs it beside. */
  const modelIn = async (folder: string): Promise<string> => {
    const model = join(folder, 'source');
    await mkdir(join(model, 'meta'), { recursive: true });
    await writeFile(join(model, 'model.onnx'), 'weights');
    await writeFile(join(model, 'meta', 'labels.txt'), 'yes\nno');
    return model;
  };

  const byKey = async (folder: string): Promise<void> => {
    const model = await modelIn(folder);
    const secret = await writeKeys(folder);
    await signModel(tool, model, ['key', '--private_key', secret]);
  };

  const byCertificate = async (folder: string): Promise<void> => {
    const model = await modelIn(folder);
    const root = await writeAuthority(folder, 'Models');
    const signer = await generate([{ name: 'commonName', value: 'Data science' }], {
      keyType: 'ec',
      ca: { key: root.key, cert: root.certificate },
      extensions: [{ name: 'keyUsage', digitalSignature: true }],
    });
    const [secret, certificate] = [join(folder, 'signer.key'), join(folder, 'signer.pem')];
    await writeFile(secret, signer.private);
    await writeFile(certificate, signer.cert);
    const options = ['--signing_certificate', certificate, '--certificate_chain', root.file];
    await signModel(tool, model, ['certificate', '--private_key', secret, ...options]);
  };

  /** The signed model, published as version 1; the tampering comes between. */
  const withSigned = (
    by: 'key' | 'certificate',
    use: (inputs: Record<string, string>, target: string) => Promise<void>,
    tamper: (model: string) => Promise<void> = async () => undefined,
  ): Promise<void> =>
    withFolder(async (folder) => {
      await cp(join(signed, by), folder, { recursive: true });
      await tamper(join(folder, 'source'));
      container = await newContainer(storage);
      await publishFolder(container, join(folder, 'source'), '1');
      const target = join(folder, 'target');
      const trust: Record<string, string> =
        by === 'key'
          ? { signatureKey: join(folder, 'open.pem') }
          : { signatureAuthorities: join(folder, 'Models.pem') };
      await use(
        { ...keyInputs(storage, container.containerName, target), model: 'credit', ...trust },
        target,
      );
    });

  it('comes when the key is trusted, and the summary names the signer', () =>
    withSigned('key', async (inputs, target) => {
      const said = await fetchModel(inputs);
      assert.ok((await filesBelow(target)).includes('model.onnx'));
      assert.match(
        said.lines.join('\n'),
        /Signature 'model\.sig' by key sha256:[0-9a-f]{64} is right, over 2 file/,
      );
      assert.match([...said.summaries.values()].join(), /Signed by \| key sha256/);
    }));

  it('comes when its certificate leads to a trusted authority', () =>
    withSigned('certificate', async (inputs) => {
      const said = await fetchModel({ ...inputs, verifySignature: 'require' });
      assert.match(said.lines.join('\n'), /by certificate 'CN=Data science' is right/);
    }));

  it('is refused when its certificate leads elsewhere', () =>
    withSigned('certificate', async (inputs, target) => {
      const other = await writeAuthority(join(target, '..'), 'Others');
      const failure = await failureOf({ ...inputs, signatureAuthorities: other.file });
      assert.equal(failure.code, 'SIGNATURE_INVALID');
      assert.match(failure.text, /CN=Data science.*issued by 'CN=Models': no way leads/);
    }));

  it('gives its digests to a lock that is only resolved: who streams it accepts no other bytes', () =>
    withSigned('key', async (inputs, target) => {
      await fetchModel({ ...inputs, mode: 'resolve' });
      const lock = parseLock(await readFile(join(target, 'model.lock.json'), 'utf8'));
      const weights = lock?.files.find((file) => file.path === 'model.onnx');
      assert.match(weights?.sha256 ?? '', /^[0-9a-f]{64}$/);
    }));

  it('is refused when a file has other bytes than were signed, and nothing is put in place', () =>
    withSigned(
      'key',
      async (inputs, target) => {
        assert.equal((await failureOf(inputs)).code, 'MODEL_CORRUPT');
        assert.deepEqual(await filesBelow(target), []);
      },
      (model) => writeFile(join(model, 'model.onnx'), 'Weights'),
    ));

  it('is refused when a file was added or taken away', () =>
    withSigned(
      'key',
      async (inputs) => {
        const failure = await failureOf(inputs);
        assert.equal(failure.code, 'SIGNATURE_MISMATCH');
        assert.match(failure.text, /'extra\.py' was not signed/);
        await container.getBlobClient('credit/1/extra.py').delete();
        await container.getBlobClient('credit/1/meta/labels.txt').delete();
        assert.match((await failureOf(inputs)).text, /'meta\/labels\.txt' was signed and is not there/);
      },
      (model) => writeFile(join(model, 'extra.py'), 'import os'),
    ));

  it('may be fetched in part: the signature comes along and what is not asked for need not be there', () =>
    withSigned('key', async (inputs, target) => {
      await fetchModel({ ...inputs, files: '*.onnx', verifySignature: 'require' });
      assert.deepEqual(await filesBelow(target), ['model.lock.json', 'model.onnx', 'model.sig']);
    }));

  it('is refused when it was signed by another key, and both are named', () =>
    withSigned('key', async (inputs, target) => {
      await writeKeys(join(target, '..'));
      const failure = await failureOf(inputs);
      assert.equal(failure.code, 'SIGNATURE_INVALID');
      assert.match(failure.text, /by the key sha256:[0-9a-f]{64}, and 'signatureKey' is sha256:[0-9a-f]{64}/);
    }));

  it('is refused when the signed statement was changed', () =>
    withSigned(
      'key',
      async (inputs) => assert.match((await failureOf(inputs)).text, /did not sign this content/),
      async (model) => {
        const file = join(model, 'model.sig');
        const bundle = JSON.parse(await readFile(file, 'utf8'));
        const statement = Buffer.from(bundle.dsseEnvelope.payload, 'base64').toString('utf8');
        bundle.dsseEnvelope.payload = Buffer.from(statement.replace('"files"', '"filez"')).toString('base64');
        await writeFile(file, JSON.stringify(bundle));
      },
    ));

  it('is fetched without a word of proof when no key is given, and that is said', () =>
    withSigned('key', async ({ signatureKey: _, ...inputs }) => {
      const said = await fetchModel(inputs);
      assert.match(said.lines.join('\n'), /lies beside the model; give 'signatureKey'/);
    }));

  it('is missed where one is required', () =>
    withSigned('key', async (inputs) => {
      await container.getBlobClient('credit/1/model.sig').delete();
      assert.equal((await failureOf({ ...inputs, verifySignature: 'require' })).code, 'SIGNATURE_MISSING');
    }));

  it('needs a public key: a private one is refused', () =>
    withSigned('key', async (inputs, target) => {
      const failure = await failureOf({ ...inputs, signatureKey: join(target, '..', 'secret.pem') });
      assert.equal(failure.code, 'SIGNATURE_KEY_UNUSABLE');
      assert.match(failure.text, /holds a private key/);
    }));
});
