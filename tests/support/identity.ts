import assert from 'node:assert/strict';
import { audiences, type LocalIdentity } from '../../local/identity/index.ts';
import type { Exchange } from '../../local/identity/server.ts';
import { azureConnection } from '../../src/azure/connection.ts';
import { createCredential } from '../../src/azure/credential.ts';
import type { Identity, Network } from '../../src/azure/signIn.ts';
import { DeliveryError, explain } from '../../src/errors.ts';
import type { ServiceConnection } from '../../src/host/host.ts';
import { type Recorded, recordingHost } from './host.ts';

export type Scheme = 'workloadIdentity' | 'clientSecret' | 'clientCertificate' | 'managedIdentity';

const schemes: Readonly<Record<Scheme, string>> = {
  workloadIdentity: 'WorkloadIdentityFederation',
  clientSecret: 'ServicePrincipal',
  clientCertificate: 'ServicePrincipal',
  managedIdentity: 'ManagedServiceIdentity',
};

function parametersOf(local: LocalIdentity, scheme: Scheme): Record<string, string> {
  const { application, tenantId } = local;
  const common = { tenantid: tenantId, serviceprincipalid: application.clientId };
  switch (scheme) {
    case 'workloadIdentity':
      return common;
    case 'clientSecret':
      return { ...common, authenticationtype: 'spnKey', serviceprincipalkey: application.secret };
    case 'clientCertificate':
      return {
        ...common,
        authenticationtype: 'spnCertificate',
        serviceprincipalcertificate: application.pem,
      };
    case 'managedIdentity':
      return { tenantid: tenantId };
  }
}

/**
 * An AzureRM service connection to the local sign-in service: an Azure Stack's, whose registries are those of the
 * host at `url`, its resource manager.
 */
export function azureServiceConnection(
  local: LocalIdentity,
  scheme: Scheme,
  changed: { parameters?: Record<string, string>; data?: Record<string, string>; url?: string } = {},
): ServiceConnection {
  return {
    id: local.connectionId,
    url: changed.url ?? 'https://management.local.test/',
    scheme: schemes[scheme],
    parameters: { ...parametersOf(local, scheme), ...changed.parameters },
    data: {
      environment: 'AzureStack',
      activedirectoryauthority: `${local.entra.url}/`,
      activedirectoryserviceendpointresourceid: audiences.resourceManager,
      subscriptionid: '00000000-0000-4000-8000-0000000000aa',
      ...changed.data,
    },
  };
}

/** Clients in this process trust the local authority by this. */
export function networkOf(local: LocalIdentity): Network {
  return { certificateAuthorities: local.authority.certificate };
}

/** A job's host that can ask the local OIDC endpoint. */
export function jobHost(local: LocalIdentity, accessToken = local.devops.accessToken) {
  const pipelineIdentity = { accessToken, oidcRequestUri: local.devops.oidcRequestUri };
  return recordingHost({ workingFolder: '.', pipelineIdentity });
}

/** The identity of a service connection, and what its host was told. */
export function signedIn(
  local: LocalIdentity,
  connection: ServiceConnection,
  accessToken?: string,
): { identity: Identity; said: Recorded } {
  const { host, said } = jobHost(local, accessToken);
  return { identity: createCredential(azureConnection(connection), host, networkOf(local)), said };
}

/** How something fails, as the log would show it. */
export async function failureText(work: Promise<unknown>): Promise<{ code: string; text: string }> {
  try {
    await work;
  } catch (error) {
    if (!(error instanceof DeliveryError)) throw error;
    return { code: error.code, text: explain(error) };
  }
  throw new Error('it did not fail');
}

/** The error shows the id that the service received, and each that the service gave. */
export function assertIdsShown(text: string, exchange: Exchange | undefined): void {
  assert.ok(
    exchange?.sent !== undefined && exchange.status >= 400,
    'the last request was numbered and refused',
  );
  const { sent, answered, userAgent = '' } = exchange;
  assert.match(userAgent, /^model-delivery/);
  const ids = Object.entries(answered).filter(([name]) => /request-id$|e2eid$/.test(name));
  assert.ok(ids.length > 0);
  for (const shown of [sent, ...ids.map(([name, id]) => `${name} ${id}`)])
    assert.ok(text.includes(shown), text);
}
