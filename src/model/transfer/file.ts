import { createHash, type Hash } from 'node:crypto';
import { type FileHandle, mkdir, open } from 'node:fs/promises';
import { dirname } from 'node:path';
import { DeliveryError } from '../../errors.ts';
import { writingTo } from '../../files/errors.ts';
import { retry } from '../../http/retry.ts';
import type { ByteProgress } from '../../report/progress.ts';
import type { LockedFile } from '../lock.ts';
import { isTemporaryStoreError, type ModelStore } from '../store.ts';

/** A file to fetch, with every check that is known before. */
export interface WantedFile {
  readonly locked: LockedFile;
  /** Hexadecimal MD5 that the store keeps. */
  readonly md5?: string;
}

export interface TransferOptions {
  readonly signal: AbortSignal;
  readonly progress: ByteProgress;
  readonly onRetry: (file: LockedFile, error: unknown, delayMs: number) => void;
}

/** Attempts in a row that moved nothing before a file is given up. */
const fruitlessAttempts = 5;

interface Sink {
  readonly handle: FileHandle;
  readonly sha256: Hash;
  readonly md5: Hash | undefined;
  written: number;
}

function corrupt(file: LockedFile, problem: string): DeliveryError {
  return new DeliveryError({
    code: 'MODEL_CORRUPT',
    side: 'storage',
    message: `'${file.name}' did not arrive as it was published: ${problem}.`,
    remedy: 'Run again; if it repeats, publish the file anew, and look for a proxy that changes what passes.',
  });
}

function interrupted(file: LockedFile, sink: Sink): DeliveryError {
  return new DeliveryError({
    code: 'STORAGE_INTERRUPTED',
    side: 'storage',
    message: `The body of '${file.name}' ended after ${sink.written} of ${file.size} bytes.`,
    remedy: 'Run again; if it repeats, look for a proxy or firewall that cuts long connections.',
  });
}

/** Appends what the store sends from where the last attempt ended. */
async function receive(
  store: ModelStore,
  file: LockedFile,
  sink: Sink,
  options: TransferOptions,
): Promise<void> {
  const body = await store.read(file, { offset: sink.written, signal: options.signal });
  for await (const piece of body) {
    if (sink.written + piece.length > file.size) throw corrupt(file, 'more bytes came than were listed');
    await writingTo(file.path, () => writeWhole(sink, piece));
    sink.sha256.update(piece);
    sink.md5?.update(piece);
    options.progress.add(piece.length);
  }
  if (sink.written < file.size) throw interrupted(file, sink);
}

async function writeWhole(sink: Sink, piece: Uint8Array): Promise<void> {
  for (let done = 0; done < piece.length; ) {
    const { bytesWritten } = await sink.handle.write(piece, done, piece.length - done, sink.written);
    done += bytesWritten;
    sink.written += bytesWritten;
  }
}

/** Receives the whole file; attempts that moved bytes start the count of attempts anew. */
async function receiveWhole(
  store: ModelStore,
  file: LockedFile,
  sink: Sink,
  options: TransferOptions,
): Promise<void> {
  while (sink.written < file.size) {
    const before = sink.written;
    try {
      await retry(() => receive(store, file, sink, options), {
        attempts: fruitlessAttempts,
        signal: options.signal,
        advise: (error) => ({ temporary: isTemporaryStoreError(error) && sink.written === before }),
        onRetry: (error, delayMs) => options.onRetry(file, error, delayMs),
      });
    } catch (error) {
      if (!isTemporaryStoreError(error) || sink.written === before) throw error;
      options.onRetry(file, error, 0);
    }
  }
}

function verified(wanted: WantedFile, sink: Sink): string {
  const sha256 = sink.sha256.digest('hex');
  const { locked, md5 } = wanted;
  if (locked.sha256 !== undefined && locked.sha256 !== sha256) {
    throw corrupt(locked, `its SHA-256 is ${sha256} instead of ${locked.sha256}`);
  }
  const actual = sink.md5?.digest('hex');
  if (actual !== undefined && actual !== md5) throw corrupt(locked, `its MD5 is ${actual} instead of ${md5}`);
  return sha256;
}

/**
 * Fetches one file to `destination` (replacing what is there), flushed to the disk, and gives its hexadecimal
 * SHA-256. Resumes within the file after a broken connection. Throws MODEL_CHANGED, MODEL_CORRUPT, DISK_FULL,
 * TARGET_UNWRITABLE or the store's error; the destination then holds no whole file.
 */
export async function fetchFile(
  store: ModelStore,
  wanted: WantedFile,
  destination: string,
  options: TransferOptions,
): Promise<string> {
  const { locked } = wanted;
  const handle = await writingTo(dirname(destination), async () => {
    await mkdir(dirname(destination), { recursive: true });
    return open(destination, 'w');
  });
  try {
    // A recorded SHA-256 proves more than an MD5, and costs nothing extra.
    const needsMd5 = wanted.md5 !== undefined && locked.sha256 === undefined;
    const md5 = needsMd5 ? createHash('md5') : undefined;
    const sink: Sink = { handle, sha256: createHash('sha256'), md5, written: 0 };
    await receiveWhole(store, locked, sink, options);
    const sha256 = verified(wanted, sink);
    await writingTo(dirname(destination), () => handle.datasync());
    return sha256;
  } finally {
    await handle.close();
  }
}
