import { DeliveryError } from '../errors.ts';
import type { Host, ServiceConnection } from '../host/host.ts';
import { isLoopback } from '../http/loopback.ts';
import { listedClouds, publicCloud } from './clouds.ts';
import { azureConnection } from './connection.ts';
import { identityOf } from './credential.ts';
import type { Identity } from './signIn.ts';

/** Who reads blobs, and where the storage accounts of the connection's cloud are. */
export interface StorageIdentity {
  readonly identity: Identity;
  /** Last labels of a storage account's host, for example `core.windows.net`. */
  readonly suffix: string;
}

/** Of accounts with an Azure DNS zone endpoint: `<account>.z<number>.blob.storage.azure.net`. */
const zoneSuffix = 'storage.azure.net';

/**
 * Whether the address is a storage account's in this cloud, by https: a token opens every account of the identity,
 * so it goes to an address that comes from a file or an input only then. Private endpoints keep these names.
 * https://learn.microsoft.com/azure/storage/common/storage-account-overview#storage-account-endpoints
 */
export function isStorageAccount(endpoint: string, suffix: string): boolean {
  const { protocol, hostname } = new URL(endpoint);
  const suffixes = suffix === publicCloud.storageSuffix ? [suffix, zoneSuffix] : [suffix];
  return protocol === 'https:' && suffixes.some((one) => hostname.endsWith(`.blob.${one}`));
}

/**
 * Whether a secret that opens storage by itself (a SAS) may go to an address that comes from a file: a storage account
 * of a listed cloud by https, or an emulator on this machine.
 */
export function mayTakeSas(endpoint: string): boolean {
  const isAzure = listedClouds.some(({ storageSuffix }) => isStorageAccount(endpoint, storageSuffix));
  return isAzure || isLoopback(new URL(endpoint).hostname);
}

/**
 * The endpoint that an input names, where the identity's token may go to: of the connection's cloud, or an emulator's
 * on this machine. A domain of one's own is neither: storage has no certificate for one, so that some other service
 * would get the token. Throws STORAGE_OUTSIDE_CLOUD.
 * https://learn.microsoft.com/azure/storage/blobs/storage-custom-domain-name
 */
export function checkedForToken(endpoint: string, suffix: string): string {
  const { protocol, hostname } = new URL(endpoint);
  if (isStorageAccount(endpoint, suffix)) return endpoint;
  if (protocol === 'https:' && isLoopback(hostname)) return endpoint;
  throw new DeliveryError({
    code: 'STORAGE_OUTSIDE_CLOUD',
    side: 'input',
    message: `Input 'blobEndpoint' names ${endpoint}, which is no storage account of the service connection's cloud (https, below blob.${suffix}), so no token is sent to it.`,
    remedy: `Write https://<account>.blob.${suffix}, also for a private endpoint; a domain of one's own has no https at the storage account itself, and what stands before it would get the token: use 'authentication: sas' there.`,
  });
}

/** The identity of an AzureRM service connection for its cloud's storage. Throws SERVICE_CONNECTION_… errors. */
export function storageIdentity(connection: ServiceConnection, host: Host): StorageIdentity {
  const azure = azureConnection(connection);
  return { identity: identityOf(azure, host), suffix: azure.cloud.storageSuffix };
}
