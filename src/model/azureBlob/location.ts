import type { Identity } from '../../azure/signIn.ts';
import { invalidInput } from '../../host/inputs.ts';

/** How requests to the storage account are authorised. */
export type AzureBlobCredential =
  | { readonly kind: 'accountKey'; readonly account: string; readonly key: string }
  | { readonly kind: 'sas'; readonly token: string }
  | { readonly kind: 'identity'; readonly identity: Identity }
  | { readonly kind: 'anonymous' };

/** What of a credential must be masked: of a SAS its signature too, which URLs carry alone. */
export function secretsOf(credential: AzureBlobCredential): readonly string[] {
  if (credential.kind === 'accountKey') return [credential.key];
  if (credential.kind !== 'sas') return [];
  const signature = new URLSearchParams(credential.token).get('sig');
  return signature === null ? [credential.token] : [credential.token, signature];
}

/** One container of a storage account, and how to get in. */
export interface AzureBlobLocation {
  /** The blob service's URL, without query and trailing slash; path-style for emulators. */
  readonly endpoint: string;
  readonly container: string;
  readonly credential: AzureBlobCredential;
}

/** A cloud's endpoint of an account; the public cloud's without suffix. https://learn.microsoft.com/azure/storage/common/storage-account-overview */
export function accountEndpoint(account: string, suffix = 'core.windows.net'): string {
  if (/^[a-z0-9]{3,24}$/.test(account)) return `https://${account}.blob.${suffix}`;
  throw invalidInput(
    'storageAccount',
    `is '${account}'`,
    "Write the storage account's name only: 3 to 24 lower-case letters and digits, no URL.",
  );
}

/** A blob service URL as the user wrote it, checked. The value is never shown: a SAS may be pasted with it. */
export function checkedEndpoint(value: string, input: string): string {
  const url = URL.canParse(value) ? new URL(value) : undefined;
  if (url === undefined || !/^https?:$/.test(url.protocol)) {
    throw invalidInput(
      input,
      'is not an http(s) URL',
      'Write for example https://account.blob.core.windows.net.',
    );
  }
  if (url.search !== '' || url.hash !== '' || url.username !== '' || url.password !== '') {
    throw invalidInput(
      input,
      'carries a query or a user name',
      "Write the URL alone, and the SAS in 'sasToken'.",
    );
  }
  return url.toString().replace(/\/+$/, '');
}

/** A container name by the service's rules. https://learn.microsoft.com/rest/api/storageservices/naming-and-referencing-containers--blobs--and-metadata */
export function checkedContainer(value: string): string {
  if (/^(\$root|\$web|(?!.*--)[a-z0-9][a-z0-9-]{1,61}[a-z0-9])$/.test(value)) return value;
  throw invalidInput(
    'container',
    `is '${value}'`,
    'Container names have 3 to 63 lower-case letters, digits and single hyphens.',
  );
}

/** The account that an endpoint names: the first label of its host, or the path of an emulator. */
export function accountOf(endpoint: string): string {
  const url = new URL(endpoint);
  const path = url.pathname.split('/')[1] ?? '';
  return path !== '' ? path : (url.hostname.split('.')[0] ?? '');
}

/** A storage account key, which is Base64 of 64 bytes; anything else would only end as "wrong key". */
export function checkedKey(value: string, input: string): string {
  if (/^[A-Za-z0-9+/]{20,}={0,2}$/.test(value)) return value;
  throw invalidInput(
    input,
    'does not hold an account key',
    "Copy 'key1' or 'key2' of the storage account's access keys into a secret variable, and pass that variable.",
  );
}

/** A SAS token without its question mark; a whole SAS URL is refused. */
export function checkedSas(value: string, input: string): string {
  const token = value.replace(/^\?/, '');
  if (!token.includes('://') && new URLSearchParams(token).has('sig')) return token;
  throw invalidInput(
    input,
    'is not a SAS token',
    "Paste the token alone: it starts with 'sv=' or 'sp=' and has 'sig='.",
  );
}
