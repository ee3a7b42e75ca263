import { isTemporaryNetworkError, type RetryAdvice, retry } from '../http/retry.ts';
import { adviseRegistry } from './failure.ts';
import { type PartReader, partReader } from './parts.ts';
import { checkLayerSize, profileOf, smallerRequest } from './profile.ts';
import { RegistryRefusal } from './refusal.ts';
import {
  type BlobSource,
  commit,
  progressOf,
  type Session,
  sendPart,
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
/** A line that damages bytes again and again will not get better. */
const mostDamaged = 3;
/** Before an upload goes on that got on since its last failure. */
const shortDelayMs = 500;

/** The digest, where it is known by now. */
function knownDigest(blob: BlobSource, session: Session | undefined): string | undefined {
  if (typeof blob.digest === 'string') return blob.digest;
  return session?.offset === blob.size ? blob.digest() : undefined;
}

function refused(error: unknown, ...statuses: readonly number[]): boolean {
  return error instanceof RegistryRefusal && statuses.includes(error.status);
}

/** The registry hashed other bytes than were read here. */
function isDamaged(error: unknown): boolean {
  return error instanceof RegistryRefusal && error.codes.includes('DIGEST_INVALID');
}

/** One blob on its way. */
interface Upload {
  readonly transport: Transport;
  readonly target: UploadTarget;
  readonly blob: BlobSource;
  readonly reader: PartReader;
  session: Session | undefined;
  /** Most bytes of one request; less after each 413. */
  largest: number;
  /** The furthest that the registry had. */
  furthest: number;
  failedBefore: boolean;
  /** How often the registry has said that it stands elsewhere. */
  misplaced: number;
  /** Broken connections in a row without a byte that the registry kept. */
  stuck: number;
  /** How often other bytes arrived. */
  damaged: number;
  /** How far it was at the last failure. */
  failedAt: number;
}

function advance(upload: Upload, session: Session): void {
  upload.session = session;
  if (session.offset > upload.furthest) upload.stuck = 0;
  upload.furthest = Math.max(upload.furthest, session.offset);
}

async function sendRest(upload: Upload, session: Session): Promise<Session> {
  const { transport, target, blob, reader } = upload;
  let at = session;
  while (at.offset < blob.size) {
    const { offset } = at;
    const size = Math.min(blob.size - offset, Math.max(upload.largest, at.smallestPart ?? 0));
    const part = { size, isWhole: size === blob.size, read: () => reader.read(offset, size) };
    at = { ...(await sendPart(transport, target, at, part)), smallestPart: at.smallestPart ?? 0 };
    advance(upload, at);
  }
  return at;
}

async function attempt(upload: Upload): Promise<'mounted' | 'uploaded'> {
  const { transport, target, blob } = upload;
  // The registry may have finished although its answer was lost.
  const digest = upload.failedBefore ? knownDigest(blob, upload.session) : undefined;
  if (digest !== undefined && (await statBlob(transport, target, digest)) !== undefined) return 'uploaded';
  const previous = upload.session;
  const standing = previous && (await progressOf(transport, target, previous));
  upload.session = standing && { ...standing, smallestPart: previous?.smallestPart ?? 0 };
  if (upload.session === undefined) {
    const started = await start(transport, target, blob);
    if (started === 'mounted') return started;
    upload.session = started;
  }
  advance(upload, upload.session);
  const session = await sendRest(upload, upload.session);
  await commit(transport, target, blob, session.location);
  return 'uploaded';
}

/** Asks for less at a time; false where less makes no sense. */
function sendLess(upload: Upload): boolean {
  const left = upload.blob.size - (upload.session?.offset ?? 0);
  const smaller = smallerRequest(Math.min(upload.largest, left));
  upload.largest = smaller ?? upload.largest;
  return smaller !== undefined;
}

/** Some proxies answer a request that is too large for them by ending the connection. */
function learnOfBreak(upload: Upload, error: unknown): RetryAdvice {
  if (isTemporaryNetworkError(error)) {
    upload.stuck += 1;
    if (upload.stuck > 1) sendLess(upload);
  }
  const advice = adviseRegistry(error);
  const gotOn = upload.furthest > upload.failedAt;
  upload.failedAt = upload.furthest;
  return gotOn ? { afterMs: shortDelayMs, ...advice } : advice;
}

/** Draws the lesson from a failure, and says whether another attempt may do better. */
function learn(upload: Upload, error: unknown): RetryAdvice {
  upload.failedBefore = true;
  if (refused(error, 416)) {
    upload.misplaced += 1;
    // Asked once where it stands; a registry that errs again about that is not to be trusted (Azure/acr#866).
    if (upload.misplaced > 1) upload.session = undefined;
    return { temporary: true };
  }
  if (refused(error, 413)) {
    return { temporary: sendLess(upload), afterMs: 0 };
  }
  if (isDamaged(error)) {
    upload.session = undefined;
    upload.damaged += 1;
    return { temporary: upload.damaged < mostDamaged };
  }
  return refused(error, 404) ? { temporary: true } : learnOfBreak(upload, error);
}

/**
 * Pushes one blob: mounted where it can be, else sent by POST, PATCH (one, where the registry takes it) and PUT. After a
 * failure the registry is asked how much it has, and only the rest is sent again.
 * https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md#pushing-a-blob-in-chunks
 */
export async function pushBlob(
  transport: Transport,
  target: UploadTarget,
  blob: BlobSource,
  control: UploadControl,
): Promise<'mounted' | 'uploaded'> {
  checkLayerSize(transport.origin, blob.size);
  const { largestRequest: largest } = profileOf(transport.origin);
  const reader = partReader(blob);
  const upload: Upload = {
    ...{ transport, target, blob, reader, largest },
    ...{
      session: undefined,
      furthest: 0,
      failedBefore: false,
      misplaced: 0,
      stuck: 0,
      damaged: 0,
      failedAt: 0,
    },
  };
  const attemptSeveral = (): Promise<'mounted' | 'uploaded'> =>
    retry(() => attempt(upload), {
      attempts,
      signal: control.signal,
      advise: (error) => learn(upload, error),
      onRetry: (error, delayMs) =>
        control.onRetry?.(error instanceof Error ? error.message : String(error), delayMs),
    });
  try {
    for (;;) {
      const reached = upload.furthest;
      try {
        return await attemptSeveral();
      } catch (error) {
        // A large blob on a poor line: it may fail as often as it likes while it gets on.
        const temporary = refused(error, 404, 416) || adviseRegistry(error).temporary;
        if (!temporary || upload.furthest === reached) throw error;
      }
    }
  } finally {
    await reader.close();
  }
}
