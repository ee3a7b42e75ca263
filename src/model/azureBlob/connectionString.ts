import { DeliveryError } from '../../errors.ts';
import { type AzureBlobCredential, checkedEndpoint, checkedKey, checkedSas } from './location.ts';

/** What a connection string says of the blob service. */
export interface ConnectionStringParts {
  readonly endpoint: string;
  readonly credential: AzureBlobCredential;
}

const input = 'connectionString';

function invalid(problem: string): DeliveryError {
  return new DeliveryError({
    code: 'INPUT_INVALID',
    side: 'input',
    message: `Input '${input}' ${problem}.`,
    remedy:
      "Copy the connection string from the storage account's page 'Access keys' or 'Shared access signature'.",
  });
}

/** Fields by lower-case name; only the first `=` separates, because keys end with `=`. */
function fieldsOf(value: string): ReadonlyMap<string, string> {
  const pairs = value
    .split(';')
    .map((field) => field.trim())
    .filter((field) => field !== '')
    .map((field) => {
      const equals = field.indexOf('=');
      if (equals < 1) throw invalid('has a field without a value');
      return [field.slice(0, equals).trim().toLowerCase(), field.slice(equals + 1).trim()] as const;
    });
  return new Map(pairs);
}

function endpointOf(fields: ReadonlyMap<string, string>): string {
  const blob = fields.get('blobendpoint');
  if (blob !== undefined) return checkedEndpoint(blob, input);
  const account = fields.get('accountname');
  if (account === undefined) throw invalid('names neither BlobEndpoint nor AccountName');
  const protocol = fields.get('defaultendpointsprotocol') ?? 'https';
  return checkedEndpoint(
    `${protocol}://${account}.blob.${fields.get('endpointsuffix') ?? 'core.windows.net'}`,
    input,
  );
}

/**
 * Endpoint and credential of an Azure Storage connection string.
 * https://learn.microsoft.com/azure/storage/common/storage-configure-connection-string
 */
export function parseConnectionString(value: string): ConnectionStringParts {
  const fields = fieldsOf(value);
  const endpoint = endpointOf(fields);
  const sas = fields.get('sharedaccesssignature');
  if (sas !== undefined) return { endpoint, credential: { kind: 'sas', token: checkedSas(sas, input) } };
  const account = fields.get('accountname');
  const key = fields.get('accountkey');
  if (account === undefined || key === undefined) {
    throw invalid('has neither AccountName with AccountKey nor SharedAccessSignature');
  }
  return { endpoint, credential: { kind: 'accountKey', account, key: checkedKey(key, input) } };
}
