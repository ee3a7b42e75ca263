import type { BlobClient, BlobServiceClient, ContainerClient } from '@azure/storage-blob';
import { DeliveryError } from '../../errors.ts';
import { nearest } from '../../report/nearest.ts';
import {
  type ModelStore,
  modelChanged,
  type PinnedFile,
  type ReadOptions,
  type StoredFile,
} from '../store.ts';
import { bodyOf } from '../storeFailure.ts';
import { createDirectRequests, quoted } from './direct.ts';
import { explainedError, isNothing, serviceCode, tagsRefused } from './errors.ts';
import { isFolderMarker, listedFile, storedFile } from './file.ts';
import type { AzureBlobLocation } from './location.ts';
import { serviceClient } from './service.ts';

/** As many container names as the "did you mean" looks through. */
const containersLookedAt = 5000;

async function containerMissing(
  service: BlobServiceClient,
  location: AzureBlobLocation,
  signal: AbortSignal,
): Promise<DeliveryError> {
  const names: string[] = [];
  let hint: string;
  try {
    for await (const container of service.listContainers({ abortSignal: signal })) {
      if (names.push(container.name) >= containersLookedAt) break;
    }
    const near = nearest(location.container, names);
    hint = near.length === 0 ? 'The account has no containers.' : `Nearest names: ${near.join(', ')}.`;
  } catch {
    signal.throwIfAborted();
    hint = 'The credential may not list the containers, so no near names can be shown.';
  }
  return new DeliveryError({
    code: 'CONTAINER_NOT_FOUND',
    side: 'storage',
    message: `Container '${location.container}' does not exist at ${location.endpoint}. ${hint}`,
    remedy: "Correct 'container' (and 'storageAccount', if the container is in another account).",
  });
}

/** How the store is asked. */
export interface AzureBlobOptions {
  /** Names a page of a listing; the service gives 5,000 at most. */
  readonly pageSize?: number;
  /** The listing gives index tags too, for which the credential needs a right of its own. */
  readonly tags?: boolean;
}

/** Container and client, with every failure of the service explained. */
interface Access {
  readonly location: AzureBlobLocation;
  readonly service: BlobServiceClient;
  readonly container: ContainerClient;
  /** The same container without retries: whoever reads knows better when to ask again, and for what. */
  readonly reading: ContainerClient;
  readonly pageSize: number;
  readonly tags: boolean;
}

async function explained(access: Access, error: unknown, signal: AbortSignal): Promise<unknown> {
  signal.throwIfAborted();
  return serviceCode(error) === 'ContainerNotFound' && access.location.credential.kind !== 'anonymous'
    ? await containerMissing(access.service, access.location, signal)
    : explainedError(error, access.location);
}

/**
 * A hierarchical namespace refuses a prefix that goes on below a file's name, where others list nothing.
 * https://learn.microsoft.com/rest/api/storageservices/list-blobs#uri-parameters
 */
async function isBelowFile(access: Access, prefix: string, error: unknown, abortSignal: AbortSignal) {
  if (!prefix.endsWith('/') || !isNothing(error)) return false;
  const blob = access.reading.getBlobClient(prefix.slice(0, -1));
  return blob.getProperties({ abortSignal }).then(
    () => true,
    () => false,
  );
}

async function* listFiles(access: Access, prefix: string, signal: AbortSignal): AsyncGenerator<StoredFile> {
  const pages = access.container
    .listBlobsFlat({ prefix, includeMetadata: true, includeTags: access.tags, abortSignal: signal })
    .byPage({ maxPageSize: access.pageSize });
  try {
    for await (const page of pages) {
      for (const blob of page.segment.blobItems) if (!isFolderMarker(blob)) yield listedFile(blob);
    }
  } catch (error) {
    if (await isBelowFile(access, prefix, error, signal)) return;
    throw (access.tags && tagsRefused(error, access.location)) || (await explained(access, error, signal));
  }
}

/** A version's id and a snapshot's name are times. */
const moment = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+Z$/;

/** A blob as it was: the version or the snapshot of this time. */
async function fileAsOf(
  access: Access,
  name: string,
  identity: string,
  abortSignal: AbortSignal,
): Promise<StoredFile | undefined> {
  if (!moment.test(identity)) return undefined;
  const blob = access.reading.getBlobClient(name);
  const found = (one: BlobClient) =>
    one.getProperties({ abortSignal }).catch((error: unknown) => {
      if (isNothing(error)) return undefined;
      throw error;
    });
  try {
    const version = await found(blob.withVersion(identity));
    // A service without versions may answer with the present blob.
    if (version?.versionId === identity) return storedFile(name, version);
    const copy = await found(blob.withSnapshot(identity));
    return copy && storedFile(name, { ...copy, snapshot: identity });
  } catch (error) {
    throw await explained(access, error, abortSignal);
  }
}

/** The blob, or exactly its pinned version or snapshot. */
function pinnedBlob({ reading }: Access, { name, versionId, snapshot }: PinnedFile): BlobClient {
  const blob = reading.getBlobClient(name);
  if (snapshot !== undefined) return blob.withSnapshot(snapshot);
  return versionId === undefined ? blob : blob.withVersion(versionId);
}

async function listChildren(access: Access, prefix: string, signal: AbortSignal): Promise<string[]> {
  const options = { prefix, includeMetadata: true, abortSignal: signal };
  const folders = new Set<string>();
  const files: string[] = [];
  try {
    for await (const { segment } of access.container
      .listBlobsByHierarchy('/', options)
      .byPage({ maxPageSize: access.pageSize })) {
      for (const folder of segment.blobPrefixes ?? []) folders.add(folder.name.slice(prefix.length));
      for (const blob of segment.blobItems) {
        if (!isFolderMarker(blob)) files.push(blob.name.slice(prefix.length));
      }
    }
  } catch (error) {
    throw await explained(access, error, signal);
  }
  return [...folders, ...files].sort();
}

async function readFile(
  access: Access,
  file: PinnedFile,
  options: ReadOptions,
): Promise<AsyncIterable<Uint8Array>> {
  try {
    const response = await pinnedBlob(access, file).download(options.offset ?? 0, options.length, {
      conditions: { ifMatch: quoted(file.etag) },
      abortSignal: options.signal,
      maxRetryRequests: 0,
    });
    if (response.readableStreamBody === undefined) throw new Error('the answer has no body');
    const part = { skip: 0, take: options.length ?? file.size - (options.offset ?? 0) };
    return bodyOf(response.readableStreamBody, part, file, options.signal);
  } catch (error) {
    if (serviceCode(error) === 'ConditionNotMet' || serviceCode(error) === 'BlobNotFound') {
      throw modelChanged(file, error);
    }
    throw await explained(access, error, options.signal);
  }
}

/**
 * Models in a container of Azure Blob storage. Bytes are pinned by If-Match on the listed ETag, where the account
 * keeps versions by the versionId too, so that a file that is overwritten while it is read stays readable.
 */
export function openAzureBlobStore(location: AzureBlobLocation, options: AzureBlobOptions = {}): ModelStore {
  const service = serviceClient(location, 4);
  const access: Access = {
    location,
    service,
    container: service.getContainerClient(location.container),
    reading: serviceClient(location, 1).getContainerClient(location.container),
    // The SDK's parsed pages are what listing takes of memory: of 100,000 names 260 MB at most, with 5,000 a page 400.
    pageSize: options.pageSize ?? 1000,
    tags: options.tags ?? false,
  };
  const direct = createDirectRequests(location.credential);
  return {
    source: { type: 'azureBlob', url: `${location.endpoint}/${location.container}` },
    list: (prefix, signal) => listFiles(access, prefix, signal),
    children: (prefix, signal) => listChildren(access, prefix, signal),
    asOf: (name, identity, signal) => fileAsOf(access, name, identity, signal),
    direct: (file, part) => direct(pinnedBlob(access, file).url, file, part),
    read: (file, options) => readFile(access, file, options),
  };
}
