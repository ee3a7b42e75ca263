import { DeliveryError } from '../../errors.ts';
import type { ServiceConnection } from '../../host/host.ts';
import { required } from '../../host/inputs.ts';
import type { ClusterAccess } from '../api/access.ts';
import { readKubeconfig } from './kubeconfig.ts';

/** What reading a Kubernetes service connection needs beside the connection. */
export interface ConnectionReading {
  readonly folder: string;
  readonly secret: (value: string) => void;
}

function decoded(connection: ServiceConnection, parameter: string): string {
  const value = connection.parameters[parameter.toLowerCase()];
  if (value !== undefined && value !== '') return Buffer.from(value, 'base64').toString('utf8');
  throw new DeliveryError({
    code: 'SERVICE_CONNECTION_INVALID',
    side: 'input',
    message: `The Kubernetes service connection '${connection.id}' has no ${parameter}.`,
    remedy: 'Edit the service connection: paste the whole Secret of the service account, as JSON.',
  });
}

async function fromKubeconfig(
  connection: ServiceConnection,
  reading: ConnectionReading,
): Promise<ClusterAccess> {
  const content = required(
    connection.parameters['kubeconfig'],
    'kubernetesConnection',
    'with a kubeconfig in its authorization',
  );
  const context = connection.parameters['clustercontext'];
  const access = await readKubeconfig({
    content,
    folder: reading.folder,
    secret: reading.secret,
    ...(context ? { context } : {}),
  });
  const untrusted = connection.data['acceptuntrustedcerts']?.toLowerCase() === 'true';
  return { ...access, skipTlsVerify: access.skipTlsVerify || untrusted };
}

function fromServiceAccount(connection: ServiceConnection, reading: ConnectionReading): ClusterAccess {
  const token = decoded(connection, 'apiToken');
  reading.secret(token);
  const untrusted = connection.data['acceptuntrustedcerts']?.toLowerCase() === 'true';
  return {
    origin: `Kubernetes service connection '${connection.id}'`,
    server: connection.url,
    skipTlsVerify: untrusted,
    ...(untrusted ? {} : { certificateAuthority: decoded(connection, 'serviceAccountCertificate') }),
    token: async () => token,
  };
}

/**
 * The access that a Kubernetes service connection gives. Throws SERVICE_CONNECTION_INVALID or KUBECONFIG_INVALID.
 * Source: azure-pipelines-tasks, common-npm-packages/kubernetes-common (the connection's fields).
 */
export async function readServiceConnection(
  connection: ServiceConnection,
  reading: ConnectionReading,
): Promise<ClusterAccess> {
  const type = connection.data['authorizationtype'] ?? 'Kubeconfig';
  if (type === 'Kubeconfig') return fromKubeconfig(connection, reading);
  if (type === 'ServiceAccount' || type === 'AzureSubscription')
    return fromServiceAccount(connection, reading);
  throw new DeliveryError({
    code: 'SERVICE_CONNECTION_INVALID',
    side: 'input',
    message: `The Kubernetes service connection '${connection.id}' has the unknown authorization type '${type}'.`,
    remedy: 'Use a connection of type Kubeconfig, Service account or Azure subscription.',
  });
}
