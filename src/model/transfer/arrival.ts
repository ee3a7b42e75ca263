import { createHash, type Hash } from 'node:crypto';
import { type FileHandle, open } from 'node:fs/promises';
import { dirname } from 'node:path';
import { DeliveryError } from '../../errors.ts';
import { writingTo } from '../../files/errors.ts';
import { makeFolder } from '../../files/folder.ts';
import type { LockedFile } from '../lock.ts';
import type { FollowingHash, HashThreads } from './hasher.ts';
import { type ByteRange, rangesOf } from './ranges.ts';

/** A file to fetch, with every check that is known before. */
export interface WantedFile {
  readonly locked: LockedFile;
  /** Hexadecimal MD5 that the store keeps. */
  readonly md5?: string;
  /** The store cannot be asked for parts of it. */
  readonly whole?: boolean;
}

type Algorithm = 'sha256' | 'md5';

/** A file on its way: written in any order, hashed in order. */
export interface Arrival {
  readonly wanted: WantedFile;
  /** Ranges that are not there yet. */
  readonly missing: readonly ByteRange[];
  /** The open file; it is opened at first use. */
  handle(): Promise<FileHandle>;
  /** Bytes of a file of one range, as they come. */
  hashed(pieces: readonly Uint8Array[]): void;
  /** A range is whole; true when it was the last one. */
  rangeDone(range: ByteRange): boolean;
  /** Verifies and closes the whole file, and gives its hexadecimal SHA-256. Throws MODEL_CORRUPT. */
  complete(): Promise<string>;
  close(): Promise<void>;
}

function corrupt(file: LockedFile, name: string, actual: string, wanted: string): DeliveryError {
  return new DeliveryError({
    code: 'MODEL_CORRUPT',
    side: 'storage',
    message: `'${file.name}' did not arrive as it was published: its ${name} is ${actual} instead of ${wanted}.`,
    remedy: 'Run again; if it repeats, publish the file anew, and look for a proxy that changes what passes.',
  });
}

async function openPartial(partial: string, size: number): Promise<FileHandle> {
  return writingTo(dirname(partial), async () => {
    await makeFolder(dirname(partial));
    const handle = await open(partial, 'r+').catch(() => open(partial, 'w+'));
    // The whole length from the start: ranges are written at their own places.
    await handle.truncate(size);
    return handle;
  });
}

/** Hashes by thread what comes in several ranges, and in passing what comes in one. */
function createHashes(
  algorithms: readonly Algorithm[],
  passing: boolean,
  partial: string,
  threads: HashThreads,
) {
  const direct = new Map<Algorithm, Hash>();
  const following = new Map<Algorithm, FollowingHash>();
  for (const algorithm of passing ? algorithms : []) direct.set(algorithm, createHash(algorithm));
  return {
    update: (pieces: readonly Uint8Array[]) => {
      for (const hash of direct.values()) for (const piece of pieces) hash.update(piece);
    },
    advance: (upTo: number) => {
      if (passing) return;
      for (const algorithm of algorithms) {
        const hash = following.get(algorithm) ?? threads.follow(partial, algorithm);
        following.set(algorithm, hash);
        hash.advance(upTo);
      }
    },
    digest: (algorithm: Algorithm, size: number): Promise<string> => {
      const hash = direct.get(algorithm);
      if (hash !== undefined) return Promise.resolve(hash.digest('hex'));
      return (following.get(algorithm) ?? threads.follow(partial, algorithm)).digest(size);
    },
  };
}

/**
 * Prepares a file's arrival at `partial`, of which an earlier run may have finished ranges.
 * Nothing is opened yet: a set may have more files than a process may open.
 */
export function createArrival(
  wanted: WantedFile,
  partial: string,
  finished: ReadonlySet<number>,
  threads: HashThreads,
): Arrival {
  const { locked, md5 } = wanted;
  const ranges = rangesOf(locked.size, wanted.whole);
  const done = new Set(ranges.map((range) => range.index).filter((index) => finished.has(index)));
  // A recorded SHA-256 proves more than an MD5, so the MD5 is then not worth its time.
  const algorithms: Algorithm[] =
    md5 !== undefined && locked.sha256 === undefined ? ['sha256', 'md5'] : ['sha256'];
  const passing = ranges.length <= 1 && done.size === 0;
  const hashes = createHashes(algorithms, passing, partial, threads);
  let opened: Promise<FileHandle> | undefined;
  let whole = 0;

  const handle = (): Promise<FileHandle> => {
    opened ??= openPartial(partial, locked.size);
    return opened;
  };
  const verify = async (): Promise<string> => {
    const sha256 = await hashes.digest('sha256', locked.size);
    if (locked.sha256 !== undefined && locked.sha256 !== sha256) {
      throw corrupt(locked, 'SHA-256', sha256, locked.sha256);
    }
    if (md5 !== undefined && algorithms.includes('md5')) {
      const actual = await hashes.digest('md5', locked.size);
      if (actual !== md5) throw corrupt(locked, 'MD5', actual, md5);
    }
    return sha256;
  };
  return {
    wanted,
    missing: ranges.filter((range) => !done.has(range.index)),
    handle,
    hashed: (pieces) => hashes.update(pieces),
    rangeDone(range) {
      done.add(range.index);
      while (done.has(whole)) whole += 1;
      hashes.advance(ranges[whole]?.start ?? locked.size);
      return done.size === ranges.length;
    },
    async complete() {
      const file = await handle();
      const sha256 = await verify();
      // Not flushed to the disk: a killed process loses nothing that it wrote, and after a power failure
      // every file is hashed again before it is used, so waiting for the disk would buy nothing.
      await file.close();
      opened = undefined;
      return sha256;
    },
    async close() {
      const file = await opened?.catch(() => undefined);
      await file?.close();
    },
  };
}
