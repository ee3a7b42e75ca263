import { RestError } from '@azure/storage-blob';
import { DeliveryError } from '../../errors.ts';
import { correlation } from '../../http/ownRequest.ts';
import { isTemporaryStatus, parseRetryAfter } from '../../http/retry.ts';
import { StoreBusyError } from '../store.ts';
import { isNetworkError, unreachable } from '../storeFailure.ts';
import type { AzureBlobLocation } from './location.ts';
import { refusedAccess } from './refused.ts';

/** The service's own code, for example `ContainerNotFound`; network failures have codes such as `ENOTFOUND`. */
export function serviceCode(error: unknown): string {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : '';
}

/** What the service adds about a refused token or signature. */
function detailOf(error: RestError): string {
  const details = error.details;
  const fields = typeof details === 'object' && details !== null ? (details as Record<string, unknown>) : {};
  const detail = fields['authenticationErrorDetail'] ?? fields['AuthenticationErrorDetail'];
  return typeof detail === 'string' ? ` ${detail}` : '';
}

/** The service's sentence and the request's ids, without the time that follows it. */
function serviceSentence(error: RestError): Error {
  const sentence = `${error.message.split(/\r?\n/)[0] ?? ''}${detailOf(error)}`;
  const ids = correlation(error.request?.headers.toJSON() ?? {}, error.response?.headers.toJSON());
  const told = [`HTTP ${error.statusCode}`, error.code ?? '', ids].filter((part) => part !== '');
  return new Error(`${sentence} (${told.join(', ')})`);
}

function busy(error: RestError, location: AzureBlobLocation): DeliveryError {
  return new StoreBusyError(
    {
      message: `The model storage ${location.endpoint} is overloaded or failing.`,
      remedy: "Run again later; the storage account's metrics show whether it is throttled.",
      cause: serviceSentence(error),
    },
    parseRetryAfter(error.response?.headers.get('retry-after')),
  );
}

function failed(error: RestError, location: AzureBlobLocation): DeliveryError {
  return new DeliveryError({
    code: 'STORAGE_FAILED',
    side: 'storage',
    message: `The model storage ${location.endpoint} refused the request.`,
    remedy: "Compare the service's answer above with the step's inputs.",
    cause: serviceSentence(error),
  });
}

/** There is no such thing, or there cannot be one: no blob, version or snapshot, a prefix below a file. */
export function isNothing(error: unknown): boolean {
  if (!(error instanceof RestError) || serviceCode(error) === 'ContainerNotFound') return false;
  return error.statusCode === 400 || error.statusCode === 404 || error.statusCode === 409;
}

/** A listing with index tags that was refused for the tags' sake, as far as the answer can mean that. */
export function tagsRefused(error: unknown, { container, endpoint }: AzureBlobLocation) {
  const code = serviceCode(error);
  if (!(error instanceof RestError) || code !== 'AuthorizationPermissionMismatch') return undefined;
  return new DeliveryError({
    code: 'STORAGE_FORBIDDEN',
    side: 'identity',
    message: `The model storage refused to list container '${container}' at ${endpoint} with its index tags, which 'blobTags' asks for.`,
    remedy:
      "Grant the identity 'Storage Blob Data Owner', or a role of your own with Microsoft.Storage/storageAccounts/blobServices/containers/blobs/tags/read; a SAS needs the right 't' too (sp=rlt).",
    cause: serviceSentence(error),
  });
}

/** The SDK's error in words for the log; what is not the storage's (cancellation, our own) passes unchanged. */
export function explainedError(error: unknown, location: AzureBlobLocation): unknown {
  if (error instanceof DeliveryError || !(error instanceof Error) || error.name === 'AbortError')
    return error;
  if (!(error instanceof RestError) || error.statusCode === undefined) {
    // The quotation marks of the remedy go around both names.
    return error instanceof RestError || isNetworkError(error)
      ? unreachable(error, location.endpoint, "storageAccount' or 'blobEndpoint")
      : error;
  }
  const status = error.statusCode;
  const hidden = status === 404 && location.credential.kind === 'anonymous';
  if (status === 401 || status === 403 || hidden || serviceCode(error) === 'PublicAccessNotPermitted') {
    const serverTime = new Date(error.response?.headers.get('date') ?? Number.NaN);
    const said = serviceSentence(error);
    return refusedAccess({ serviceCode: serviceCode(error), said, serverTime }, location);
  }
  if (serviceCode(error) === 'BlobArchived') {
    return new DeliveryError({
      code: 'MODEL_ARCHIVED',
      side: 'storage',
      message: 'A file of the model is in the archive tier, which cannot be read.',
      remedy: 'Rehydrate the blob to the hot or cool tier (it takes hours), then run again.',
      cause: serviceSentence(error),
    });
  }
  return isTemporaryStatus(status) ? busy(error, location) : failed(error, location);
}
