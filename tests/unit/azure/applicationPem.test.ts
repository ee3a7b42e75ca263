import assert from 'node:assert/strict';
import { createPrivateKey } from 'node:crypto';
import { applicationCertificate, createAuthority } from '../../../local/identity/authority.ts';
import { applicationPem } from '../../../src/azure/applicationPem.ts';
import { DeliveryError, explain } from '../../../src/errors.ts';

function failure(pem: string): { code: string; text: string } {
  try {
    applicationPem('azure', pem);
  } catch (error) {
    assert.ok(error instanceof DeliveryError);
    return { code: error.code, text: explain(error) };
  }
  return assert.fail('it did not fail');
}

describe("a service principal's PEM", () => {
  let pem: string;
  let certificate: string;
  let key: string;

  before(async () => {
    ({ pem, certificate } = await applicationCertificate());
    key = pem.slice(0, pem.indexOf('-----BEGIN CERTIFICATE'));
  });

  it('has its own certificate first, wherever it stands in the chain that was pasted', async () => {
    const { certificate: root } = await createAuthority();
    for (const pasted of [
      [key, certificate, root],
      [root, certificate, key],
      [root, key, certificate],
    ]) {
      const parts = applicationPem('azure', pasted.join('\n')).match(
        /-----BEGIN[\s\S]+?-----END [A-Z ]+-----/g,
      );
      assert.deepEqual(parts?.slice(1), [certificate.trim(), root.trim()]);
      assert.match(parts?.[0] ?? '', /PRIVATE KEY/);
    }
  });

  it('is refused with an encrypted key, because a connection has no place for its password', () => {
    const encryption = { type: 'pkcs8', format: 'pem', cipher: 'aes-256-cbc', passphrase: 'secret' } as const;
    const { code, text } = failure(`${createPrivateKey(key).export(encryption)}${certificate}`);
    assert.equal(code, 'SERVICE_CONNECTION_INVALID');
    assert.match(text, /encrypted private key/);
  });

  it('is refused without certificate, without key, with the key of another and with a damaged one', async () => {
    const { certificate: other } = await applicationCertificate();
    const damaged = certificate.replace(/\n.{20}/, '\n');
    for (const wrong of [key, certificate, `${key}${other}`, `${key}${damaged}`]) {
      const { code, text } = failure(wrong);
      assert.equal(code, 'SERVICE_CONNECTION_INVALID');
      const line = key.split('\n')[2] ?? '';
      assert.ok(!text.includes(line), 'no line of the key is shown');
    }
  });

  it('is refused with its end when it has expired, before anybody is asked', async () => {
    const expired = await applicationCertificate(new Date(Date.now() - 3600_000));
    const { code, text } = failure(expired.pem);
    assert.equal(code, 'IDENTITY_CERTIFICATE_EXPIRED');
    assert.match(text, /'azure' expired at \d{4}-/);
    assert.match(text, /az ad app credential reset --append/);
  });
});
