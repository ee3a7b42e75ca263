import { Readable } from 'node:stream';
import { createGzip } from 'node:zlib';
import { DeliveryError } from '../../errors.ts';
import { writeSignedBlob } from '../../model/azureBlob/signedBlob.ts';
import type { Archive } from '../../tar/archive.ts';

function refused(cause: unknown): DeliveryError {
  return new DeliveryError({
    code: 'ACR_CONTEXT_REFUSED',
    side: 'engine',
    message: "The build context could not be uploaded to the storage of Azure Container Registry's Tasks.",
    remedy:
      "Let the agent reach https://*.blob.core.windows.net (the cloud's storage), check its clock, and run again; a smaller context (.dockerignore) goes through more easily.",
    cause,
  });
}

/** Uploads the packed context, compressed on its way; gives its bytes. Nothing of it stands on the disk. Throws ACR_CONTEXT_REFUSED. */
export async function uploadContext(url: string, archive: Archive, signal: AbortSignal): Promise<number> {
  const packed = createGzip({ level: 6 });
  const plain = Readable.from(archive.open());
  plain.on('error', (error) => packed.destroy(error));
  try {
    return await writeSignedBlob(url, plain.pipe(packed), signal);
  } catch (error) {
    signal.throwIfAborted();
    // A file that changed meanwhile is explained already.
    throw error instanceof DeliveryError ? error : refused(error);
  } finally {
    plain.destroy();
  }
}
