import { randomUUID } from 'node:crypto';
import { BlobServiceClient, type ContainerClient, StorageSharedKeyCredential } from '@azure/storage-blob';
import type { StorageEndpoint } from '../../local/lib/endpoints.ts';

/** The data scientist's side: an account client for publishing. */
export function publisher(storage: StorageEndpoint): BlobServiceClient {
  const credential = new StorageSharedKeyCredential(storage.account, storage.accountKey);
  return new BlobServiceClient(storage.blobEndpoint, credential);
}

/** A new container of the test's own. */
export async function newContainer(storage: StorageEndpoint, prefix = 'models'): Promise<ContainerClient> {
  const container = publisher(storage).getContainerClient(`${prefix}-${randomUUID().slice(0, 8)}`);
  await container.create();
  return container;
}

/** Publishes files by name, in order. */
export async function publish(
  container: ContainerClient,
  files: Readonly<Record<string, string | Uint8Array>>,
  metadata?: Record<string, string>,
): Promise<void> {
  for (const [name, content] of Object.entries(files)) {
    const body = Buffer.from(content);
    await container
      .getBlockBlobClient(name)
      .upload(body, body.length, metadata === undefined ? {} : { metadata });
  }
}
