import type { Host, ServiceConnection } from '../host/host.ts';
import { azureConnection } from './connection.ts';
import { createCredential } from './credential.ts';
import type { Identity } from './signIn.ts';

/** Who reads blobs, and where the storage accounts of the connection's cloud are. */
export interface StorageIdentity {
  readonly identity: Identity;
  /** Last labels of a storage account's host, for example `core.windows.net`. */
  readonly suffix: string;
}

/**
 * Whether the address is a storage account's in this cloud, by https: a token opens every account of the identity,
 * so it goes to an address that comes from a file only then. Private endpoints keep these names.
 */
export function isStorageAccount(endpoint: string, suffix: string): boolean {
  const { protocol, hostname } = new URL(endpoint);
  return protocol === 'https:' && hostname.endsWith(`.blob.${suffix}`);
}

/** The identity of an AzureRM service connection for its cloud's storage. Throws SERVICE_CONNECTION_… errors. */
export function storageIdentity(connection: ServiceConnection, host: Host): StorageIdentity {
  const azure = azureConnection(connection);
  return { identity: createCredential(azure, host), suffix: azure.cloud.storageSuffix };
}
