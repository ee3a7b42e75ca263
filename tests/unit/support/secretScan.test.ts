import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { applicationCertificate } from '../../../local/identity/authority.ts';
import { assertNoSecret, leaksIn } from '../../support/secretScan.ts';

describe('the scan for secrets', () => {
  const secret = `${randomBytes(24).toString('base64url')}/+ä`;
  const clean = { log: 'Signed in by $(secret).', 'files left': '{}' };

  it('finds a planted secret as it is, in a URL, in JSON and within base64, and says where', () => {
    const basic = Buffer.from(`user:${secret}`).toString('base64');
    for (const planted of [secret, encodeURIComponent(secret), JSON.stringify({ secret }), basic]) {
      const places = { ...clean, 'files left': `before ${planted} after` };
      assert.deepEqual(leaksIn(places, ['another secret', secret]), ['files left: #1']);
      assert.throws(() => assertNoSecret(places, [secret]), /files left: #0/);
    }
    assertNoSecret(clean, [secret]);
  });

  it("finds one line of a private key, and takes no certificate's frame for it", async () => {
    const { pem } = await applicationCertificate();
    const line = pem.split('\n')[3] ?? '';
    assert.deepEqual(leaksIn({ log: `key: ${line}` }, [pem]), ['log: #0']);
    assertNoSecret({ log: '-----BEGIN CERTIFICATE-----\n-----END PRIVATE KEY-----' }, [pem]);
  });

  it('fails where there was nothing to look at, or nothing to look for', () => {
    assert.throws(() => assertNoSecret({ log: '' }, [secret]), /log was looked at/);
    assert.throws(() => assertNoSecret(clean, ['']), /each secret can be looked for/);
  });
});
