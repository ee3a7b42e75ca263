import { isStorageAccount, mayTakeSas, storageIdentity } from '../../src/azure/storage.ts';
import type { Host } from '../../src/host/host.ts';
import { required } from '../../src/host/inputs.ts';
import { parseConnectionString } from '../../src/model/azureBlob/connectionString.ts';
import {
  type AzureBlobCredential,
  accountOf,
  checkedKey,
  checkedSas,
  secretsOf,
} from '../../src/model/azureBlob/location.ts';
import { invalid } from './checks.ts';
import type { Raw } from './fields.ts';

/** The credential for the storage account that a lock names, whose address is known only then. */
export type BlobCredentialFor = (endpoint: string) => AzureBlobCredential;

function secret(
  host: Host,
  raw: Raw,
  name: 'modelAccountKey' | 'modelSasToken' | 'modelConnectionString',
): string {
  const value = required(raw[name], name, `with 'modelAuthentication: ${raw.modelAuthentication}'`);
  host.secret(value);
  return value;
}

function byConnectionString(host: Host, raw: Raw): BlobCredentialFor {
  const parts = parseConnectionString(secret(host, raw, 'modelConnectionString'));
  for (const part of secretsOf(parts.credential)) host.secret(part);
  return (endpoint) => {
    if (parts.endpoint === endpoint) return parts.credential;
    // The key of one account is never shown to another one.
    const problem = `is for ${parts.endpoint}, but the lock's model is at ${endpoint}`;
    throw invalid('modelConnectionString', problem, 'Pass that of the account that FetchModel used.');
  };
}

function byIdentity(host: Host, raw: Raw): BlobCredentialFor {
  const why = "with 'modelAuthentication: azureResourceManager'";
  const id = required(raw.azureSubscription, 'azureSubscription', why);
  const { identity, suffix } = storageIdentity(host.connection(id), host);
  return (endpoint) => {
    if (isStorageAccount(endpoint, suffix)) return { kind: 'identity', identity };
    throw invalid(
      'modelLock',
      `names the model storage ${endpoint}, which is no storage account of the connection's cloud`,
      'A token is sent to storage accounts only; use another modelAuthentication for this one.',
    );
  };
}

/** How the inputs sign in to Azure Blob Storage; undefined where they name another kind of source. */
export function blobCredential(host: Host, raw: Raw): BlobCredentialFor | undefined {
  switch (raw.modelAuthentication) {
    case 'azureResourceManager':
      return byIdentity(host, raw);
    case 'anonymous':
      return () => ({ kind: 'anonymous' });
    case 'accountKey': {
      const key = checkedKey(secret(host, raw, 'modelAccountKey'), 'modelAccountKey');
      return (endpoint) => ({ kind: 'accountKey', account: accountOf(endpoint), key });
    }
    case 'sas': {
      const token = checkedSas(secret(host, raw, 'modelSasToken'), 'modelSasToken');
      for (const part of secretsOf({ kind: 'sas', token })) host.secret(part);
      return (endpoint) => {
        if (mayTakeSas(endpoint)) return { kind: 'sas', token };
        throw invalid(
          'modelLock',
          `names the model storage ${endpoint}, which is no storage account of Azure by https, so the SAS is not sent there`,
          "For storage elsewhere use 'modelConnectionString', which names the address itself: BlobEndpoint=https://…;SharedAccessSignature=….",
        );
      };
    }
    case 'connectionString':
      return byConnectionString(host, raw);
    default:
      return undefined;
  }
}
