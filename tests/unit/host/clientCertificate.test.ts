import assert from 'node:assert/strict';
import { createPrivateKey } from 'node:crypto';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type CertificateAuthority, createAuthority } from '../../../local/identity/authority.ts';
import { DeliveryError, explain } from '../../../src/errors.ts';
import { type ClientCertificateFiles, shownBy } from '../../../src/host/clientCertificate.ts';
import { type CertificateFiles, certificateFiles } from '../../support/agentCertificate.ts';

function failure(files: ClientCertificateFiles): { code: string; text: string } {
  try {
    shownBy(files);
  } catch (error) {
    assert.ok(error instanceof DeliveryError);
    return { code: error.code, text: explain(error) };
  }
  return assert.fail('it did not fail');
}

describe("the agent's client certificate", () => {
  let folder: string;
  let authority: CertificateAuthority;
  let files: CertificateFiles;

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'model-delivery-test-'));
    authority = await createAuthority();
    files = await certificateFiles(folder, await authority.issueClient('agent 7'));
  });
  after(() => rm(folder, { recursive: true, force: true }));

  it('is the PEM pair, and the archive where no key stands beside it', () => {
    assert.deepEqual(Object.keys(shownBy(files)).sort(), ['cert', 'key', 'passphrase']);
    const { keyFile: _, ...withoutKey } = files;
    assert.deepEqual(Object.keys(shownBy(withoutKey)).sort(), ['passphrase', 'pfx']);
    assert.deepEqual(shownBy({}), {});
  });

  it('is refused for a wrong or missing password, which is not shown', () => {
    const { archiveFile, certFile, keyFile } = files;
    for (const one of [{ archiveFile }, { certFile, keyFile }]) {
      const wrong = failure({ ...one, passphrase: 'not this one' });
      assert.equal(wrong.code, 'AGENT_CERTIFICATE_INVALID');
      assert.match(wrong.text, /--sslclientcertpassword/);
      assert.doesNotMatch(wrong.text, /not this one/);
      assert.match(failure(one).text, /--sslclientcertpassword/);
    }
  });

  it('is refused for a wrong password that happens to pass the check of the padding', async () => {
    const { keyFile, passphrase } = files;
    const key = createPrivateKey({ key: await readFile(keyFile), passphrase });
    // The older form derives its key at once, so that such a password is found within the test.
    const type = key.asymmetricKeyType === 'rsa' ? 'pkcs1' : 'sec1';
    const pem = key.export({ type, format: 'pem', cipher: 'aes-256-cbc', passphrase });
    const passes = (wrong: string): boolean => {
      try {
        createPrivateKey({ key: pem, passphrase: wrong });
        return true;
      } catch (error) {
        return error instanceof Error && !/bad decrypt/.test(error.message);
      }
    };
    let count = 0;
    while (!passes(`wrong ${count}`)) count += 1;
    const older = join(folder, 'older.pem');
    await writeFile(older, pem);
    const { certFile } = files;
    const wrong = failure({ certFile, keyFile: older, passphrase: `wrong ${count}` });
    assert.equal(wrong.code, 'AGENT_CERTIFICATE_INVALID');
    assert.match(wrong.text, /--sslclientcertpassword/);
    await writeFile(older, '-----BEGIN PRIVATE KEY-----\nMAAA\n-----END PRIVATE KEY-----\n');
    assert.match(failure({ certFile, keyFile: older }).text, /its own private key/);
  });

  it('is refused with the key of another certificate, and when it has expired', async () => {
    const other = await authority.issueClient('other');
    const { keyFile } = await certificateFiles(await mkdtemp(join(folder, 'other-')), other);
    assert.equal(failure({ ...files, keyFile }).code, 'AGENT_CERTIFICATE_INVALID');
    const ended = await authority.issueClient('agent 7', new Date('2026-01-01T00:00:00Z'));
    const old = await certificateFiles(await mkdtemp(join(folder, 'old-')), ended);
    assert.match(failure(old).text, /expired at 2026-01-01/);
  });

  it('is refused as an archive that is encrypted as none should be any more', async () => {
    const legacy = ['-legacy', '-certpbe', 'PBE-SHA1-RC2-40'];
    const made = await certificateFiles(
      await mkdtemp(join(folder, 'legacy-')),
      await authority.issueClient('agent 7'),
      legacy,
    );
    const { archiveFile, passphrase } = made;
    assert.match(failure({ archiveFile, passphrase }).text, /export it anew/);
  });
});
