import { type RetryAdvice, retry } from '../http/retry.ts';
import { adviseRegistry, RegistryRefusal } from './failure.ts';
import {
  type BlobSource,
  commit,
  progressOf,
  type Session,
  sendRest,
  start,
  statBlob,
  type UploadTarget,
} from './session.ts';
import type { Transport } from './transport.ts';

export interface UploadControl {
  readonly signal: AbortSignal;
  /** Told of each further attempt. */
  readonly onRetry?: (reason: string, delayMs: number) => void;
}

const attempts = 6;

/** The digest, where it is known by now. */
function knownDigest(blob: BlobSource, session: Session | undefined): string | undefined {
  if (typeof blob.digest === 'string') return blob.digest;
  return session?.offset === blob.size ? blob.digest() : undefined;
}

function isLostSession(error: unknown): boolean {
  return error instanceof RegistryRefusal && (error.status === 416 || error.status === 404);
}

function advise(error: unknown): RetryAdvice {
  return isLostSession(error) ? { temporary: true } : adviseRegistry(error);
}

/**
 * Pushes one blob: mounted where it can be, else sent by POST, one PATCH and PUT. After a failure the registry
 * is asked how much it has, and only the rest is sent again.
 * https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md#pushing-a-blob-in-chunks
 */
export async function pushBlob(
  transport: Transport,
  target: UploadTarget,
  blob: BlobSource,
  control: UploadControl,
): Promise<'mounted' | 'uploaded'> {
  let session: Session | undefined;
  let failedBefore = false;
  let furthest = 0;

  const attempt = async (): Promise<'mounted' | 'uploaded'> => {
    // The registry may have finished although its answer was lost.
    const digest = failedBefore ? knownDigest(blob, session) : undefined;
    if (digest !== undefined && (await statBlob(transport, target, digest)) !== undefined) return 'uploaded';
    if (session !== undefined) session = await progressOf(transport, target, session);
    furthest = Math.max(furthest, session?.offset ?? 0);
    if (session === undefined) {
      const started = await start(transport, target, blob);
      if (started === 'mounted') return started;
      session = started;
    }
    session = await sendRest(transport, target, blob, session);
    await commit(transport, target, blob, session.location);
    return 'uploaded';
  };

  const attemptSeveral = (): Promise<'mounted' | 'uploaded'> =>
    retry(attempt, {
      attempts,
      signal: control.signal,
      advise: (error) => {
        failedBefore = true;
        // What this registry says of its position is not to be trusted then (Azure/acr#866).
        if (error instanceof RegistryRefusal && error.status === 416) session = undefined;
        return advise(error);
      },
      onRetry: (error, delayMs) =>
        control.onRetry?.(error instanceof Error ? error.message : String(error), delayMs),
    });

  for (;;) {
    const reached = furthest;
    try {
      return await attemptSeveral();
    } catch (error) {
      // A large blob on a poor line: it may fail as often as it likes while it gets on.
      if (!advise(error).temporary || furthest === reached) throw error;
    }
  }
}
