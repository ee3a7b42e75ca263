import assert from 'node:assert/strict';
import { requestOidcToken } from '../../../src/azure/oidc.ts';
import { DeliveryError } from '../../../src/errors.ts';

describe("the job's access token", () => {
  const send = () => assert.fail('nothing is sent');

  for (const oidcRequestUri of ['http://dev.contoso.com/oidctoken', 'no address']) {
    it(`is not sent to ${oidcRequestUri}`, async () => {
      const pipeline = { accessToken: 'token', oidcRequestUri };
      const signal = new AbortController().signal;
      await assert.rejects(
        requestOidcToken(send, { pipeline, connectionId: 'azure', signal }),
        (error) => error instanceof DeliveryError && error.code === 'IDENTITY_OIDC_MISSING',
      );
    });
  }
});
