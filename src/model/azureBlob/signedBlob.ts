import type { Readable } from 'node:stream';
import { AnonymousCredential, BlobClient, BlockBlobClient, RestError } from '@azure/storage-blob';
import { pipelineOf } from './service.ts';

/** Where an address carries its own signature; requests are sent four times at most. */
function signedPipeline() {
  const retryOptions = { maxTries: 4, retryDelayInMs: 500, maxRetryDelayInMs: 8000 };
  return pipelineOf(new AnonymousCredential(), { retryOptions });
}

/** A blob that may be read by its address, and may grow meanwhile. */
export interface SignedBlob {
  /** Its present size and metadata; undefined while it is not there. */
  look(): Promise<{ readonly size: number; readonly metadata: Readonly<Record<string, string>> } | undefined>;
  read(offset: number, count: number): Promise<Buffer>;
}

export function openSignedBlob(url: string, abortSignal: AbortSignal): SignedBlob {
  const blob = new BlobClient(url, signedPipeline());
  return {
    async look() {
      try {
        const { contentLength = 0, metadata = {} } = await blob.getProperties({ abortSignal });
        return { size: contentLength, metadata };
      } catch (error) {
        if (error instanceof RestError && error.statusCode === 404) return undefined;
        throw error;
      }
    },
    read: (offset, count) => blob.downloadToBuffer(offset, count, { abortSignal }),
  };
}

const blockSize = 8 * 1024 * 1024;
const atOnce = 3;

/** Writes a block blob of unknown size; gives its bytes. At most three blocks of 8 MiB are in memory. */
export async function writeSignedBlob(
  url: string,
  content: Readable,
  abortSignal: AbortSignal,
): Promise<number> {
  const blob = new BlockBlobClient(url, signedPipeline());
  let size = 0;
  await blob.uploadStream(content, blockSize, atOnce, {
    abortSignal,
    onProgress: ({ loadedBytes }) => {
      size = loadedBytes;
    },
  });
  return size;
}
