import assert from 'node:assert/strict';
import { azureConnection } from '../../../src/azure/connection.ts';
import { explainSignIn } from '../../../src/azure/failure.ts';
import { DeliveryError, explain } from '../../../src/errors.ts';

const ids =
  'Trace ID: 8eea681d-a1eb-487d-9be7-d61225177f00 Correlation ID: d0f0de73-8a5d-4de0-99b6-83e71da1f7a4 Timestamp: 2026-10-13 14:54:34Z';

const connection = azureConnection({
  id: 'azure',
  url: '',
  scheme: 'WorkloadIdentityFederation',
  parameters: { tenantid: 'tenant', serviceprincipalid: 'app' },
  data: {},
});

function explained(message: string): DeliveryError {
  const error = explainSignIn(new Error(message), connection, ['https://storage.azure.com/.default']);
  assert.ok(error instanceof DeliveryError);
  return error;
}

/** Numbers that Entra documents, and what each must be called here. */
const codes: Readonly<Record<string, string>> = {
  700024: 'IDENTITY_ASSERTION_EXPIRED',
  700016: 'IDENTITY_APP_UNKNOWN',
  7000215: 'IDENTITY_SECRET_WRONG',
  7000222: 'IDENTITY_SECRET_EXPIRED',
  700211: 'IDENTITY_FEDERATION_MISMATCH',
  700212: 'IDENTITY_FEDERATION_MISMATCH',
  700213: 'IDENTITY_FEDERATION_MISMATCH',
  7002138: 'IDENTITY_FEDERATION_MISMATCH',
  90002: 'IDENTITY_TENANT_UNKNOWN',
  500011: 'IDENTITY_RESOURCE_UNKNOWN',
  700027: 'IDENTITY_CERTIFICATE_REFUSED',
  7000112: 'IDENTITY_APP_DISABLED',
  53003: 'IDENTITY_CONDITIONAL_ACCESS',
  50196: 'IDENTITY_BUSY',
  99999: 'IDENTITY_REFUSED',
};

describe('a refused sign-in', () => {
  for (const [number, code] of Object.entries(codes)) {
    it(`is called ${code} for AADSTS${number}, with the service's own sentence and ids`, () => {
      const error = explained(`invalid_client: 1 - AADSTS${number}: The reason. ${ids}`);
      assert.equal(error.code, code);
      assert.equal(error.side, 'identity');
      const text = explain(error);
      assert.match(text, new RegExp(`Cause: AADSTS${number}: The reason\\.`));
      assert.match(text, /correlation id d0f0de73-8a5d-4de0-99b6-83e71da1f7a4/);
      assert.doesNotMatch(text, /Timestamp/);
    });
  }

  it('is not mistaken for a network failure by words in the reason', () => {
    assert.equal(explained(`AADSTS7000215: ECONNRESET network_error. ${ids}`).code, 'IDENTITY_SECRET_WRONG');
  });

  it('tells an unreachable from an untrusted service', () => {
    assert.equal(explained('getaddrinfo ENOTFOUND login.microsoftonline.com').code, 'IDENTITY_UNREACHABLE');
    assert.equal(explained('unable to verify the first certificate').code, 'IDENTITY_UNTRUSTED');
  });
});
