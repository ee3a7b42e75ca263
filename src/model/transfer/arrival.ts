import { type FileHandle, open } from 'node:fs/promises';
import { dirname } from 'node:path';
import { DeliveryError } from '../../errors.ts';
import { writingTo } from '../../files/errors.ts';
import { makeFolder } from '../../files/folder.ts';
import type { Checksum } from '../checksums.ts';
import type { LockedFile } from '../lock.ts';
import { type Algorithm, type FollowingHash, type HashThreads, smallBytes } from './hasher.ts';
import { type ByteRange, rangesOf } from './ranges.ts';
import { fileSink, memorySink, type Sink } from './sink.ts';

/** A file to fetch, with every check that is known before. */
export interface WantedFile {
  readonly locked: LockedFile;
  /** Hexadecimal MD5 that the store keeps. */
  readonly md5?: string;
  readonly checksum?: Checksum;
  /** The store cannot be asked for parts of it. */
  readonly whole?: boolean;
}

/** A file on its way: written in any order, hashed in order. */
export interface Arrival {
  readonly wanted: WantedFile;
  /** Ranges that are not there yet. */
  readonly missing: readonly ByteRange[];
  /** Where the bytes of a range go; the file is opened at first use. */
  sink(range: ByteRange): Promise<Sink>;
  /** A range is whole in its sink: it is written now. True when it was the last one. */
  keep(range: ByteRange): Promise<boolean>;
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

/** What the bytes are compared with: the best that is known. A recorded SHA-256 makes the others not worth their time. */
function expected({ locked, md5, checksum }: WantedFile): readonly [Algorithm, string] | undefined {
  if (locked.sha256 !== undefined) return ['sha256', locked.sha256];
  if (md5 !== undefined) return ['md5', md5];
  return checksum === undefined ? undefined : [checksum.algorithm, checksum.value];
}

function algorithmsFor(wanted: WantedFile): readonly Algorithm[] {
  const [algorithm = 'sha256'] = expected(wanted) ?? [];
  return algorithm === 'sha256' ? ['sha256'] : ['sha256', algorithm];
}

const shownNames: Readonly<Record<Algorithm, string>> = {
  sha256: 'SHA-256',
  md5: 'MD5',
  sha1: 'SHA-1',
  crc64nvme: 'CRC-64/NVME',
  crc32c: 'CRC-32C',
  crc32: 'CRC-32',
};

/** The file's hexadecimal SHA-256, once its digests are what they shall be. */
function verified(wanted: WantedFile, digests: readonly string[]): string {
  const [algorithm = 'sha256', value] = expected(wanted) ?? [];
  const actual = digests[algorithmsFor(wanted).indexOf(algorithm)] ?? '';
  if (value !== undefined && actual !== value)
    throw corrupt(wanted.locked, shownNames[algorithm], actual, value);
  return digests[0] ?? '';
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

/** A file that comes in one piece through memory: opened, written, hashed and closed by the thread in one go. */
function smallArrival(wanted: WantedFile, partial: string, threads: HashThreads): Arrival {
  const { size } = wanted.locked;
  let block: Uint8Array<SharedArrayBuffer> | undefined;
  let digests: readonly string[] | undefined;
  const store = async (): Promise<readonly string[]> => {
    const bytes = block ?? threads.block(size);
    digests ??= await writingTo(dirname(partial), () => threads.store(partial, bytes, algorithmsFor(wanted)));
    return digests;
  };
  return {
    wanted,
    missing: rangesOf(size),
    async sink() {
      block = threads.block(size);
      return memorySink(block);
    },
    async keep() {
      await store();
      return true;
    },
    complete: async () => verified(wanted, await store()),
    close: async () => undefined,
  };
}

/** A file that is written at its place range by range, while threads hash what is whole from its start. */
function largeArrival(
  wanted: WantedFile,
  partial: string,
  finished: ReadonlySet<number>,
  threads: HashThreads,
): Arrival {
  const { size } = wanted.locked;
  const ranges = rangesOf(size, wanted.whole);
  const done = new Set(ranges.map((range) => range.index).filter((index) => finished.has(index)));
  const sinks = new Map<number, Sink>();
  let opened: Promise<FileHandle> | undefined;
  let following: readonly FollowingHash[] | undefined;
  let whole = 0;

  const hashes = (): readonly FollowingHash[] => {
    following ??= algorithmsFor(wanted).map((algorithm) => threads.follow(partial, algorithm));
    return following;
  };
  return {
    wanted,
    missing: ranges.filter((range) => !done.has(range.index)),
    async sink(range) {
      opened ??= openPartial(partial, size);
      const sink = fileSink((await opened).fd, range.start);
      sinks.set(range.index, sink);
      return sink;
    },
    async keep(range) {
      await writingTo(dirname(partial), async () => sinks.get(range.index)?.flush());
      sinks.delete(range.index);
      done.add(range.index);
      while (done.has(whole)) whole += 1;
      for (const hash of hashes()) hash.advance(ranges[whole]?.start ?? size);
      return done.size === ranges.length;
    },
    async complete() {
      const digests = await Promise.all(hashes().map((hash) => hash.digest(size)));
      const file = await opened;
      opened = undefined;
      // Not flushed to the disk: a killed process loses nothing that it wrote, and after a power failure
      // every file is hashed again before it is used, so waiting for the disk would buy nothing.
      await file?.close();
      return verified(wanted, digests);
    },
    async close() {
      const file = await opened?.catch(() => undefined);
      await file?.close();
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
  const small = wanted.locked.size <= smallBytes && finished.size === 0;
  return small ? smallArrival(wanted, partial, threads) : largeArrival(wanted, partial, finished, threads);
}
