import assert from 'node:assert/strict';
import { applicationCertificate } from '../../../local/identity/authority.ts';
import { azureConnection } from '../../../src/azure/connection.ts';
import { DeliveryError } from '../../../src/errors.ts';
import type { ServiceConnection } from '../../../src/host/host.ts';

const application = { tenantid: 'tenant', serviceprincipalid: 'app' };
const { pem } = await applicationCertificate();

function connection(
  scheme: string,
  parameters: Record<string, string>,
  data: Record<string, string> = {},
  url = 'https://management.azure.com/',
): ServiceConnection {
  return { id: 'azure', url, scheme, parameters, data };
}

function codeOf(made: ServiceConnection): string {
  try {
    azureConnection(made);
  } catch (error) {
    if (error instanceof DeliveryError) return error.code;
    throw error;
  }
  return 'none';
}

describe('an Azure service connection', () => {
  it('says by which of four kinds it signs in', () => {
    const kinds = [
      connection('WorkloadIdentityFederation', application),
      connection('ServicePrincipal', { ...application, serviceprincipalkey: 'secret' }),
      connection('ServicePrincipal', {
        ...application,
        authenticationtype: 'spnCertificate',
        serviceprincipalcertificate: pem,
      }),
      connection('ManagedServiceIdentity', { tenantid: 'tenant' }),
    ].map((made) => azureConnection(made).kind);
    assert.deepEqual(kinds, ['workloadIdentity', 'clientSecret', 'clientCertificate', 'managedIdentity']);
  });

  it("keeps a user-assigned identity's client id", () => {
    const made = azureConnection(connection('ManagedServiceIdentity', {}, { msiclientid: 'mine' }));
    assert.equal(made.kind === 'managedIdentity' && made.clientId, 'mine');
  });

  it('is refused where it is incomplete or of an unknown scheme, without showing its secrets', () => {
    assert.equal(codeOf(connection('WorkloadIdentityFederation', {})), 'SERVICE_CONNECTION_INVALID');
    assert.equal(codeOf(connection('ServicePrincipal', application)), 'SERVICE_CONNECTION_INVALID');
    const noKey = { ...application, authenticationtype: 'spnCertificate', serviceprincipalcertificate: 'x' };
    assert.equal(codeOf(connection('ServicePrincipal', noKey)), 'SERVICE_CONNECTION_INVALID');
    assert.equal(codeOf(connection('PublishProfile', {})), 'SERVICE_CONNECTION_UNSUPPORTED');
  });

  it('knows the endpoints of the clouds that it names', () => {
    const clouds = ['AzureCloud', 'AzureUSGovernment', 'AzureChinaCloud'].map(
      (environment) =>
        azureConnection(connection('WorkloadIdentityFederation', application, { environment }, '')).cloud,
    );
    assert.deepEqual(
      clouds.map(({ authorityHost, resourceManagerUrl, storageSuffix, registrySuffix }) => [
        authorityHost,
        resourceManagerUrl,
        storageSuffix,
        registrySuffix,
      ]),
      [
        [
          'https://login.microsoftonline.com',
          'https://management.azure.com',
          'core.windows.net',
          'azurecr.io',
        ],
        [
          'https://login.microsoftonline.us',
          'https://management.usgovcloudapi.net',
          'core.usgovcloudapi.net',
          'azurecr.us',
        ],
        [
          'https://login.chinacloudapi.cn',
          'https://management.chinacloudapi.cn',
          'core.chinacloudapi.cn',
          'azurecr.cn',
        ],
      ],
    );
    assert.ok(clouds.every(({ authorityIsKnown }) => authorityIsKnown));
  });

  it('takes the URLs that it brings itself, as Azure Stack needs', () => {
    const data = {
      environment: 'AzureStack',
      environmentauthorityurl: 'https://adfs.local.azurestack.external/adfs/',
      activedirectoryserviceendpointresourceid: 'https://management.adfs.azurestack.local/guid',
      enableadfsauthentication: 'true',
    };
    const url = 'https://management.local.azurestack.external/';
    const made = azureConnection(
      connection('ServicePrincipal', { ...application, serviceprincipalkey: 'secret' }, data, url),
    );
    assert.equal(made.tenantId, 'adfs');
    assert.deepEqual(
      [
        made.cloud.authorityHost,
        made.cloud.authorityIsKnown,
        made.cloud.resourceManagerUrl,
        made.cloud.storageSuffix,
      ],
      [
        'https://adfs.local.azurestack.external',
        false,
        'https://management.local.azurestack.external',
        'local.azurestack.external',
      ],
    );
    assert.equal(made.cloud.resourceManagerAudience, 'https://management.adfs.azurestack.local/guid');
  });

  it("does not take a registry connection's address for the resource manager's", () => {
    const data = { registrytype: 'ACR', environment: 'AzureUSGovernment' };
    const made = azureConnection(
      connection('WorkloadIdentityFederation', application, data, 'https://team.azurecr.us'),
    );
    assert.equal(made.cloud.resourceManagerUrl, 'https://management.usgovcloudapi.net');
  });
});
