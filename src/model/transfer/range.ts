import { explainedWriteError } from '../../files/errors.ts';
import { retry } from '../../http/retry.ts';
import type { LockedFile } from '../lock.ts';
import { isTemporaryStoreError, type ModelStore, retryAfter } from '../store.ts';
import { brokenOff, type DirectLane } from './direct.ts';
import type { ByteRange } from './ranges.ts';
import type { Sink } from './sink.ts';

/** What a range's transfer needs besides the range. */
export interface RangeContext {
  readonly store: ModelStore;
  /** The way past the store's own client, for stores that know one. */
  readonly lane: DirectLane;
  readonly file: LockedFile;
  readonly sink: Sink;
  readonly signal: AbortSignal;
  /** Told how many bytes came. */
  readonly came: (count: number) => void;
  /** Told each failure after which another attempt is made. */
  readonly failed: (error: unknown) => void;
  /** Milliseconds without a byte after which a request is given up and made again. */
  readonly stallMs: number;
}

/** Attempts in a row that moved nothing before a range is given up. */
const fruitlessAttempts = 6;

/** A signal that aborts when it has not been fed for a while. */
function stallWatch(stallMs: number): { signal: AbortSignal; feed(): void; end(): void } {
  const stop = new AbortController();
  const timer = setTimeout(() => stop.abort(), stallMs);
  return { signal: stop.signal, feed: () => timer.refresh(), end: () => clearTimeout(timer) };
}

/** Puts bytes into the sink. Throws STORAGE_INTERRUPTED when they are too many, DISK_FULL, TARGET_UNWRITABLE. */
function taking({ sink, file, came }: RangeContext, end: number): (bytes: Uint8Array) => void {
  return (bytes) => {
    if (sink.position + bytes.length > end) throw brokenOff(file, 'more bytes came than were asked for');
    try {
      sink.add(bytes);
    } catch (error) {
      throw explainedWriteError(error, file.path);
    }
    came(bytes.length);
  };
}

/** One request by the store's own client. */
async function readFromStore(context: RangeContext, end: number): Promise<void> {
  const { store, file, sink, signal, stallMs } = context;
  const take = taking(context, end);
  const watch = stallWatch(stallMs);
  try {
    const both = AbortSignal.any([signal, watch.signal]);
    const part = { offset: sink.position, length: end - sink.position, signal: both };
    for await (const piece of await store.read(file, part)) {
      watch.feed();
      take(piece);
    }
  } catch (error) {
    signal.throwIfAborted();
    throw watch.signal.aborted ? brokenOff(file, `no byte came for ${stallMs / 1000} s`) : error;
  } finally {
    watch.end();
  }
}

async function attempt(context: RangeContext, end: number): Promise<void> {
  const { lane, file, sink, signal } = context;
  const part = { offset: sink.position, length: end - sink.position, signal };
  const taken = await lane.read(file, part, taking(context, end));
  if (!taken) await readFromStore(context, end);
  if (sink.position < end) throw brokenOff(file, `the body ended ${end - sink.position} bytes early`);
}

/**
 * Fetches one range into its sink. A broken, silent or refused request is made again from where the last one ended;
 * requests that moved bytes do not count as failed attempts.
 */
export async function fetchRange(range: ByteRange, context: RangeContext): Promise<void> {
  const { sink } = context;
  while (sink.position < range.end) {
    const before = sink.position;
    const advise = (error: unknown) => {
      const afterMs = retryAfter(error);
      const temporary = isTemporaryStoreError(error) && sink.position === before;
      return { temporary, ...(afterMs !== undefined && { afterMs }) };
    };
    try {
      await retry(() => attempt(context, range.end), {
        attempts: fruitlessAttempts,
        signal: context.signal,
        advise,
        onRetry: context.failed,
      });
    } catch (error) {
      if (!isTemporaryStoreError(error) || sink.position === before) throw error;
      context.failed(error);
    }
  }
}
