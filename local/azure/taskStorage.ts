import { randomUUID } from 'node:crypto';
import {
  type AppendBlobClient,
  BlobSASPermissions,
  BlobServiceClient,
  generateBlobSASQueryParameters,
  StorageSharedKeyCredential,
} from '@azure/storage-blob';
import type { StorageEndpoint } from '../lib/endpoints.ts';

/** The service's own storage account: contexts come in, logs go out, each by an address with its own signature. */
export interface TaskStorage {
  /** A place for a context: its address, and how a run names it. */
  place(): Promise<{ readonly uploadUrl: string; readonly relativePath: string }>;
  /** The bytes of a context; undefined when none was uploaded there. */
  context(relativePath: string): Promise<Buffer | undefined>;
  log(id: string): TaskLog;
}

export interface TaskLog {
  readonly url: string;
  write(line: string): void;
  /** Marks the log as complete once all lines are in it. */
  end(how: string): Promise<void>;
}

const readLifeMs = 3_600_000;

/** https://learn.microsoft.com/rest/api/storageservices/append-block */
export function openTaskStorage(endpoint: StorageEndpoint, uploadLifeMs: () => number): TaskStorage {
  const { account, accountKey, blobEndpoint } = endpoint;
  const key = new StorageSharedKeyCredential(account, accountKey);
  const container = new BlobServiceClient(blobEndpoint, key).getContainerClient('acr-tasks');
  const ready = (): Promise<unknown> => container.createIfNotExists();

  const signed = (
    blob: { readonly url: string; readonly name: string },
    permissions: string,
    lifeMs: number,
  ): string => {
    const values = {
      containerName: container.containerName,
      blobName: blob.name,
      permissions: BlobSASPermissions.parse(permissions),
      expiresOn: new Date(Date.now() + lifeMs),
    };
    return `${blob.url}?${generateBlobSASQueryParameters(values, key)}`;
  };

  return {
    async place() {
      await ready();
      const relativePath = `tasks-source/202611230000/${randomUUID().replaceAll('-', '')}.tar.gz`;
      const blob = container.getBlockBlobClient(relativePath);
      return { uploadUrl: signed(blob, 'cw', uploadLifeMs()), relativePath };
    },
    async context(relativePath) {
      const blob = container.getBlockBlobClient(relativePath);
      return (await blob.exists()) ? await blob.downloadToBuffer() : undefined;
    },
    log(id) {
      const blob: AppendBlobClient = container.getAppendBlobClient(`logs/${id}/rawtext.log`);
      // One after the other: an append blob's order is that of its requests.
      let last: Promise<unknown> = ready().then(() => blob.create());
      return {
        url: signed(blob, 'r', readLifeMs),
        write(line) {
          const content = Buffer.from(`${line}\r\n`, 'utf8');
          last = last.then(() => blob.appendBlock(content, content.byteLength));
        },
        async end(how) {
          await last;
          await blob.setMetadata({ Complete: how });
        },
      };
    },
  };
}
