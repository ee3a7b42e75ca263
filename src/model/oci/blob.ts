import { isTemporaryStatus } from '../../http/retry.ts';
import type { Access } from '../../oci/access.ts';
import { explainRegistryFailure } from '../../oci/failure.ts';
import { RegistryRefusal } from '../../oci/refusal.ts';
import type { RegistryResponse } from '../../oci/transport.ts';
import { StoreBusyError } from '../store.ts';
import { isNetworkError, unreachable } from '../storeFailure.ts';

/** Bytes of a blob. */
export interface BlobPart {
  /** False when the registry gave the whole blob instead of the part. */
  readonly ranged: boolean;
  readonly body: AsyncIterable<unknown>;
}

export interface BlobRange {
  readonly offset: number;
  readonly length: number;
}

/** Thrown for a blob that the registry has not got. */
export class BlobMissing extends Error {}

function explained(error: unknown, access: Access, repository: string): unknown {
  const registryUrl = access.transport.origin.origin;
  if (error instanceof RegistryRefusal) {
    if (error.status === 404 || error.status === 416) return new BlobMissing(error.message);
    if (isTemporaryStatus(error.status)) {
      const message = `The registry ${registryUrl} is overloaded or failing.`;
      return new StoreBusyError({ message, remedy: 'Run again later.', cause: error }, error.retryAfterMs);
    }
  }
  if (isNetworkError(error)) return unreachable(error, registryUrl, 'reference');
  return explainRegistryFailure(error, { registryUrl, action: `read a blob of ${repository}` });
}

/** Waits for an answer no longer than the signal allows; one that comes later is not read. */
async function untilAborted(
  pending: Promise<RegistryResponse>,
  signal: AbortSignal,
): Promise<RegistryResponse> {
  const stop = new AbortController();
  const aborted = new Promise<never>((_, reject) => {
    const listener = (): void => reject(signal.reason);
    signal.addEventListener('abort', listener, { once: true, signal: stop.signal });
  });
  try {
    return await Promise.race([pending, aborted]);
  } catch (error) {
    pending.then(
      ({ body }) => body.on('error', () => undefined).destroy(),
      () => undefined,
    );
    throw error;
  } finally {
    stop.abort();
  }
}

/**
 * Asks for a blob or a part of it; no attempt is repeated here unless `attempts` says so. Throws BlobMissing,
 * STORAGE_BUSY, STORAGE_UNREACHABLE or the registry's refusal, explained.
 */
export async function openBlob(
  access: Access,
  blob: { readonly repository: string; readonly digest: string; readonly range?: BlobRange },
  options: { readonly signal: AbortSignal; readonly attempts?: number },
): Promise<BlobPart> {
  const { signal, attempts = 1 } = options;
  const { repository, digest, range } = blob;
  signal.throwIfAborted();
  try {
    const pending = access.transport.send({
      method: 'GET',
      path: `/v2/${repository}/blobs/${digest}`,
      scope: access.scopeOf(repository),
      expect: [200, 206],
      attempts,
      ...(range && { headers: { range: `bytes=${range.offset}-${range.offset + range.length - 1}` } }),
    });
    const { status, body } = await untilAborted(pending, signal);
    const stop = (): void => void body.destroy();
    signal.addEventListener('abort', stop, { once: true });
    body.once('close', () => signal.removeEventListener('abort', stop));
    return { ranged: status === 206, body };
  } catch (error) {
    signal.throwIfAborted();
    throw explained(error, access, repository);
  }
}
