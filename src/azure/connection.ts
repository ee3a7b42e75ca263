import { DeliveryError } from '../errors.ts';
import type { ServiceConnection } from '../host/host.ts';
import { applicationPem } from './applicationPem.ts';
import type { AzureCloud } from './clouds.ts';
import { cloudOf } from './connectionCloud.ts';
import { invalidConnection } from './invalidConnection.ts';

interface Common {
  /** The service connection's id. */
  readonly id: string;
  readonly cloud: AzureCloud;
  readonly subscriptionId?: string;
}

interface Application extends Common {
  readonly tenantId: string;
  /** Application (client) id. */
  readonly clientId: string;
}

/** No secret: the pipeline's own OIDC token is exchanged. */
export interface WorkloadIdentity extends Application {
  readonly kind: 'workloadIdentity';
}

export interface ClientSecret extends Application {
  readonly kind: 'clientSecret';
  readonly secret: string;
}

export interface ClientCertificate extends Application {
  readonly kind: 'clientCertificate';
  /** Certificate and private key, both PEM. */
  readonly pem: string;
}

/** The identity of the agent's machine; the system-assigned one without client id. */
export interface ManagedIdentity extends Common {
  readonly kind: 'managedIdentity';
  readonly tenantId?: string;
  readonly clientId?: string;
}

/** How an Azure service connection signs in, and in which cloud. */
export type AzureConnection = WorkloadIdentity | ClientSecret | ClientCertificate | ManagedIdentity;

function parameter(connection: ServiceConnection, name: string, meaning: string): string {
  const value = connection.parameters[name]?.trim();
  if (value !== undefined && value !== '') return value;
  throw invalidConnection(
    connection.id,
    `has no ${meaning}`,
    'Open it in the project settings, complete it and verify it.',
  );
}

function application(connection: ServiceConnection, common: Common): Application {
  return {
    ...common,
    tenantId: tenant(connection) ?? parameter(connection, 'tenantid', 'tenant id'),
    clientId: parameter(connection, 'serviceprincipalid', 'application (client) id'),
  };
}

/** AD FS of an Azure Stack is a sign-in service without tenants; `adfs` stands in their place. */
function tenant(connection: ServiceConnection): string | undefined {
  if (connection.data['enableadfsauthentication']?.toLowerCase() === 'true') return 'adfs';
  return connection.parameters['tenantid']?.trim() || undefined;
}

function servicePrincipal(connection: ServiceConnection, common: Common): AzureConnection {
  const type = connection.parameters['authenticationtype']?.toLowerCase() ?? 'spnkey';
  const identity = application(connection, common);
  if (type !== 'spncertificate') {
    const secret = parameter(connection, 'serviceprincipalkey', 'service principal key');
    return { ...identity, kind: 'clientSecret', secret };
  }
  const pem = parameter(connection, 'serviceprincipalcertificate', 'certificate');
  return { ...identity, kind: 'clientCertificate', pem: applicationPem(connection.id, pem) };
}

function managedIdentity(connection: ServiceConnection, common: Common): ManagedIdentity {
  const tenantId = tenant(connection);
  const clientId = connection.data['msiclientid'] ?? connection.parameters['msiclientid'];
  return {
    ...common,
    kind: 'managedIdentity',
    ...(tenantId === undefined ? {} : { tenantId }),
    ...(clientId ? { clientId } : {}),
  };
}

/**
 * What an AzureRM service connection (or a registry connection of type ACR, which has the same fields) says.
 * Throws SERVICE_CONNECTION_INVALID or SERVICE_CONNECTION_UNSUPPORTED.
 * https://learn.microsoft.com/azure/devops/pipelines/library/azure-resource-manager-alternate-approaches
 */
export function azureConnection(connection: ServiceConnection): AzureConnection {
  const subscriptionId = connection.data['subscriptionid'];
  const common = { id: connection.id, cloud: cloudOf(connection), ...(subscriptionId && { subscriptionId }) };
  switch (connection.scheme.toLowerCase()) {
    case 'workloadidentityfederation':
      return { ...application(connection, common), kind: 'workloadIdentity' };
    case 'serviceprincipal':
      return servicePrincipal(connection, common);
    case 'managedserviceidentity':
      return managedIdentity(connection, common);
  }
  throw new DeliveryError({
    code: 'SERVICE_CONNECTION_UNSUPPORTED',
    side: 'input',
    message: `The Azure service connection '${connection.id}' signs in by '${connection.scheme}', which is not known here.`,
    remedy:
      'Use an Azure Resource Manager connection with workload identity federation, a service principal or a managed identity.',
  });
}
