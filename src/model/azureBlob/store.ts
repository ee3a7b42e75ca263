import type { BlobItem, BlobServiceClient, ContainerClient } from '@azure/storage-blob';
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
import { explainedError, serviceCode } from './errors.ts';
import type { AzureBlobLocation } from './location.ts';
import { serviceClient } from './service.ts';

/** As many container names as the "did you mean" looks through. */
const containersLookedAt = 5000;

/** Folders appear as empty blobs where the account has a hierarchical namespace, or a tool made them. */
function isFolderMarker(blob: BlobItem): boolean {
  const marked = Object.entries(blob.metadata ?? {}).some(
    ([name, value]) => name.toLowerCase() === 'hdi_isfolder' && value.toLowerCase() === 'true',
  );
  return marked || (blob.name.endsWith('/') && (blob.properties.contentLength ?? 0) === 0);
}

function storedFile(blob: BlobItem): StoredFile {
  const recorded = Object.entries(blob.metadata ?? {}).find(([name]) => name.toLowerCase() === 'sha256')?.[1];
  const md5 = blob.properties.contentMD5;
  return {
    name: blob.name,
    size: blob.properties.contentLength ?? 0,
    etag: blob.properties.etag,
    lastModified: blob.properties.lastModified,
    ...(recorded !== undefined && /^[0-9a-f]{64}$/i.test(recorded) && { sha256: recorded.toLowerCase() }),
    ...(md5 !== undefined && md5.length === 16 && { md5: Buffer.from(md5).toString('hex') }),
  };
}

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
}

/** Container and client, with every failure of the service explained. */
interface Access {
  readonly location: AzureBlobLocation;
  readonly service: BlobServiceClient;
  readonly container: ContainerClient;
  /** The same container without retries: whoever reads knows better when to ask again, and for what. */
  readonly reading: ContainerClient;
  readonly pageSize: number;
}

async function explained(access: Access, error: unknown, signal: AbortSignal): Promise<unknown> {
  signal.throwIfAborted();
  return serviceCode(error) === 'ContainerNotFound' && access.location.credential.kind !== 'anonymous'
    ? await containerMissing(access.service, access.location, signal)
    : explainedError(error, access.location);
}

async function* listFiles(access: Access, prefix: string, signal: AbortSignal): AsyncGenerator<StoredFile> {
  const pages = access.container
    .listBlobsFlat({ prefix, includeMetadata: true, abortSignal: signal })
    .byPage({ maxPageSize: access.pageSize });
  try {
    for await (const page of pages) {
      for (const blob of page.segment.blobItems) if (!isFolderMarker(blob)) yield storedFile(blob);
    }
  } catch (error) {
    throw await explained(access, error, signal);
  }
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
    const response = await access.reading
      .getBlobClient(file.name)
      .download(options.offset ?? 0, options.length, {
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

/** Models in a container of Azure Blob storage; bytes are pinned by If-Match on the listed ETag. */
export function openAzureBlobStore(location: AzureBlobLocation, options: AzureBlobOptions = {}): ModelStore {
  const service = serviceClient(location, 4);
  const access: Access = {
    location,
    service,
    container: service.getContainerClient(location.container),
    reading: serviceClient(location, 1).getContainerClient(location.container),
    // The SDK's parsed pages are what listing takes of memory: of 100,000 names 260 MB at most, with 5,000 a page 400.
    pageSize: options.pageSize ?? 1000,
  };
  const direct = createDirectRequests(location.credential);
  return {
    source: { type: 'azureBlob', url: `${location.endpoint}/${location.container}` },
    list: (prefix, signal) => listFiles(access, prefix, signal),
    children: (prefix, signal) => listChildren(access, prefix, signal),
    direct: (file, part) => direct(access.reading.getBlobClient(file.name).url, file, part),
    read: (file, options) => readFile(access, file, options),
  };
}
