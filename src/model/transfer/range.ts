import type { FileHandle } from 'node:fs/promises';
import { DeliveryError } from '../../errors.ts';
import { writingTo } from '../../files/errors.ts';
import { retry } from '../../http/retry.ts';
import type { LockedFile } from '../lock.ts';
import { isTemporaryStoreError, type ModelStore, retryAfter } from '../store.ts';
import type { ByteRange } from './ranges.ts';

/** What a range's transfer needs besides the range. */
export interface RangeContext {
  readonly store: ModelStore;
  readonly file: LockedFile;
  readonly handle: FileHandle;
  readonly signal: AbortSignal;
  /** Told each run of bytes once it is written, in order within the range. */
  readonly written: (bytes: readonly Uint8Array[], count: number) => void;
  /** Told each failure after which another attempt is made. */
  readonly failed: (error: unknown) => void;
  /** Milliseconds without a byte after which a request is given up and made again. */
  readonly stallMs: number;
}

/** Attempts in a row that moved nothing before a range is given up. */
const fruitlessAttempts = 6;
/** Bytes that are written to the disk at once. */
const writeBytes = 512 * 1024;

function interrupted(file: LockedFile, problem: string): DeliveryError {
  return new DeliveryError({
    code: 'STORAGE_INTERRUPTED',
    side: 'storage',
    message: `Reading '${file.name}' broke off: ${problem}.`,
    remedy: 'Run again; if it repeats, look for a proxy or firewall that cuts or stalls long connections.',
  });
}

async function writeAll(handle: FileHandle, pieces: readonly Uint8Array[], position: number): Promise<void> {
  const total = pieces.reduce((sum, piece) => sum + piece.length, 0);
  const { bytesWritten } = await handle.writev(pieces as Uint8Array[], position);
  if (bytesWritten === total) return;
  // A short write: the rest goes in one piece.
  const rest = Buffer.concat(pieces).subarray(bytesWritten);
  for (let done = 0; done < rest.length; ) {
    done += (await handle.write(rest, done, rest.length - done, position + bytesWritten + done)).bytesWritten;
  }
}

/** A signal that aborts when it has not been fed for a while. */
function stallWatch(stallMs: number): { signal: AbortSignal; feed(): void; end(): void } {
  const stop = new AbortController();
  const timer = setTimeout(() => stop.abort(), stallMs);
  return { signal: stop.signal, feed: () => timer.refresh(), end: () => clearTimeout(timer) };
}

/** One request: writes what comes, and gives the position that it reached. */
async function attempt(
  context: RangeContext,
  start: number,
  end: number,
  reached: (position: number) => void,
) {
  const { store, file, handle, signal, written } = context;
  const watch = stallWatch(context.stallMs);
  let position = start;
  let pieces: Uint8Array[] = [];
  let pending = 0;
  const flush = async (): Promise<void> => {
    if (pending === 0) return;
    const [batch, count] = [pieces, pending];
    [pieces, pending] = [[], 0];
    await writingTo(file.path, () => writeAll(handle, batch, position));
    position += count;
    reached(position);
    written(batch, count);
  };
  try {
    const options = { offset: start, length: end - start, signal: AbortSignal.any([signal, watch.signal]) };
    for await (const piece of await store.read(file, options)) {
      watch.feed();
      pieces.push(piece);
      pending += piece.length;
      if (position + pending > end) throw interrupted(file, 'more bytes came than were asked for');
      if (pending >= writeBytes) await flush();
    }
    await flush();
  } catch (error) {
    signal.throwIfAborted();
    // What came before the break is good: it is not asked for again.
    if (position + pending <= end) await flush();
    throw watch.signal.aborted ? interrupted(file, `no byte came for ${context.stallMs / 1000} s`) : error;
  } finally {
    watch.end();
  }
  if (position < end) throw interrupted(file, `the body ended ${end - position} bytes early`);
}

/**
 * Fetches one range to its place in the file. A broken, silent or refused request is made again from where the
 * last one ended; requests that moved bytes do not count as failed attempts.
 */
export async function fetchRange(range: ByteRange, context: RangeContext): Promise<void> {
  let position = range.start;
  while (position < range.end) {
    const before = position;
    const advise = (error: unknown) => {
      const afterMs = retryAfter(error);
      const temporary = isTemporaryStoreError(error) && position === before;
      return { temporary, ...(afterMs !== undefined && { afterMs }) };
    };
    const once = () =>
      attempt(context, position, range.end, (reached) => {
        position = reached;
      });
    try {
      await retry(once, {
        attempts: fruitlessAttempts,
        signal: context.signal,
        advise,
        onRetry: context.failed,
      });
    } catch (error) {
      if (!isTemporaryStoreError(error) || position === before) throw error;
      context.failed(error);
    }
  }
}
