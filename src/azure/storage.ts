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

/** The identity of an AzureRM service connection for its cloud's storage. Throws SERVICE_CONNECTION_… errors. */
export function storageIdentity(connection: ServiceConnection, host: Host): StorageIdentity {
  const azure = azureConnection(connection);
  return { identity: createCredential(azure, host), suffix: azure.cloud.storageSuffix };
}
