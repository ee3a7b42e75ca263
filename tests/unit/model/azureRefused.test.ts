import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { RestError } from '@azure/storage-blob';
import { DeliveryError } from '../../../src/errors.ts';
import { explainedError } from '../../../src/model/azureBlob/errors.ts';
import type { AzureBlobCredential } from '../../../src/model/azureBlob/location.ts';
import { openAzureBlobStore } from '../../../src/model/azureBlob/store.ts';

const minute = 60_000;
const key: AzureBlobCredential = { kind: 'accountKey', account: 'team', key: 'AAAA' };
const sas: AzureBlobCredential = { kind: 'sas', token: 'sp=rl&sr=c&sig=x' };
const identity: AzureBlobCredential = {
  kind: 'identity',
  identity: { getToken: async () => ({ token: 'x', expiresOnTimestamp: 0 }) },
};

interface Refusal {
  readonly status: number;
  readonly code: string;
  readonly message: string;
  readonly detail?: string;
  /** How far the service's clock is from this machine's, in milliseconds. */
  readonly aheadMs?: number;
}

/** How the SDK's failure on this answer of a real server is explained. */
async function answered(refusal: Refusal, credential: AzureBlobCredential): Promise<DeliveryError> {
  const { status, code, message, detail, aheadMs = 0 } = refusal;
  const more = detail === undefined ? '' : `<AuthenticationErrorDetail>${detail}</AuthenticationErrorDetail>`;
  const server = createServer((_request, response) => {
    response.writeHead(status, {
      'content-type': 'application/xml',
      'x-ms-error-code': code,
      date: new Date(Date.now() + aheadMs).toUTCString(),
    });
    const error = `<Code>${code}</Code><Message>${message}\nRequestId:1\nTime:2</Message>${more}`;
    response.end(`<?xml version="1.0" encoding="utf-8"?><Error>${error}</Error>`);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const endpoint = `http://127.0.0.1:${(server.address() as AddressInfo).port}/team`;
  const store = openAzureBlobStore({ endpoint, container: 'models', credential });
  try {
    for await (const file of store.list('', AbortSignal.timeout(10_000))) assert.fail(file.name);
  } catch (error) {
    if (error instanceof DeliveryError) return error;
    throw error;
  } finally {
    server.close();
  }
  return assert.fail('it was not refused');
}

describe('a refusal of Azure blob storage', () => {
  const failed = 'Server failed to authenticate the request.';
  const cases: readonly [string, Refusal, AzureBlobCredential, string, RegExp][] = [
    [
      'for the network names firewall, public access and private endpoint',
      {
        status: 403,
        code: 'AuthorizationFailure',
        message: 'This request is not authorized to perform this operation.',
      },
      key,
      'STORAGE_FIREWALL',
      /public network access[\s\S]*private endpoint/,
    ],
    [
      'of account keys names the service connection instead',
      {
        status: 403,
        code: 'KeyBasedAuthenticationNotPermitted',
        message: 'Key based authentication is not permitted.',
      },
      key,
      'STORAGE_FORBIDDEN',
      /'azureSubscription'/,
    ],
    [
      'with another time names both clocks',
      { status: 403, code: 'AuthenticationFailed', message: failed, aheadMs: 20 * minute },
      key,
      'STORAGE_CLOCK_SKEW',
      /20 minutes behind the storage's, where it was 20\d\d-/,
    ],
    [
      'at the same time is of the key',
      { status: 403, code: 'AuthenticationFailed', message: failed, aheadMs: minute },
      key,
      'STORAGE_KEY_WRONG',
      /not one of storage account 'team'/,
    ],
    [
      "keeps the service's detail",
      { status: 403, code: 'AuthenticationFailed', message: failed, detail: 'Signature did not match.' },
      sas,
      'STORAGE_FORBIDDEN',
      /Signature did not match/,
    ],
    [
      'of a SAS for another service says so',
      { status: 403, code: 'AuthorizationServiceMismatch', message: 'Not this service.' },
      sas,
      'STORAGE_FORBIDDEN',
      /not for blobs/,
    ],
    [
      'of a disabled account says so',
      { status: 403, code: 'AccountIsDisabled', message: 'The specified account is disabled.' },
      key,
      'STORAGE_FORBIDDEN',
      /account is disabled/,
    ],
  ];
  for (const [title, refusal, credential, code, words] of cases) {
    it(title, async () => {
      const error = await answered(refusal, credential);
      assert.equal(error.code, code);
      assert.match(`${error.message} ${error.remedy} ${String(error.cause)}`, words);
    });
  }

  it("of an identity tells the missing role from another tenant's token and from the clock", () => {
    const explained = (code: string, message: string): DeliveryError => {
      const location = {
        endpoint: 'https://team.blob.core.windows.net',
        container: 'models',
        credential: identity,
      };
      const error = explainedError(new RestError(message, { code, statusCode: 403 }), location);
      assert.ok(error instanceof DeliveryError);
      return error;
    };
    const role = explained('AuthorizationPermissionMismatch', 'This request is not authorized.');
    assert.equal(role.code, 'STORAGE_ROLE_MISSING');
    assert.match(role.remedy, /'Storage Blob Data Reader'/);
    const tenant = explained('AuthenticationFailed', 'Issuer validation failed. Issuer did not match.');
    assert.match(tenant.message, /of another tenant/);
    assert.equal(explained('AuthenticationFailed', failed).code, 'STORAGE_TOKEN_REFUSED');
  });
});
