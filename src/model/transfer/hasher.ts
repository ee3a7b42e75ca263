import { availableParallelism } from 'node:os';
import { Worker } from 'node:worker_threads';
import type { Checksum } from '../checksums.ts';
import { hashWorkerProgram } from './hashWorker.ts';

export type Algorithm = 'sha256' | 'md5' | Checksum['algorithm'];

/** The hash of one growing file. */
export interface FollowingHash {
  /** All bytes before this offset are written. */
  advance(upTo: number): void;
  /** Hexadecimal digest of the file's first `size` bytes, all of which are written. */
  digest(size: number): Promise<string>;
}

/** Threads that hash files beside their transfer, started at first use. */
export interface HashThreads {
  follow(path: string, algorithm: Algorithm): FollowingHash;
  /** Memory for a small file, which the thread sees too; {@link store} takes it back. */
  block(size: number): Uint8Array<SharedArrayBuffer>;
  /** Writes a small file from its block and gives its hexadecimal digests. */
  store(
    path: string,
    block: Uint8Array<SharedArrayBuffer>,
    algorithms: readonly Algorithm[],
  ): Promise<string[]>;
  close(): Promise<void>;
}

interface Answer {
  readonly id: number;
  readonly digests?: string[];
  readonly error?: string;
  readonly code?: string;
}

interface Waiting {
  readonly resolve: (digests: string[]) => void;
  readonly reject: (error: Error) => void;
}

/** Files up to this pass through memory whole, and are written and hashed at once. */
export const smallBytes = 1024 * 1024;

/** A hash cannot be shared out, and several files are seldom hashed faster than they arrive. */
const mostThreads = 4;

/** The next power of two: blocks of few sizes are found again. */
function roundedUp(size: number): number {
  return 2 ** Math.ceil(Math.log2(Math.max(size, 4096)));
}

function startThread(waiting: Map<number, Waiting>): Worker {
  const worker = new Worker(hashWorkerProgram, { eval: true, execArgv: [] });
  worker.unref();
  worker.on('message', ({ id, digests, error, code }: Answer) => {
    if (digests !== undefined) waiting.get(id)?.resolve(digests);
    else waiting.get(id)?.reject(Object.assign(new Error(error), { code }));
    waiting.delete(id);
  });
  worker.on('error', (error) => {
    for (const { reject } of waiting.values()) reject(error);
    waiting.clear();
  });
  return worker;
}

/** Threads for one transfer; close them when it has ended. */
export function hashThreads(): HashThreads {
  const threads: Worker[] = [];
  const count = Math.min(mostThreads, Math.max(2, availableParallelism()));
  const waiting = new Map<number, Waiting>();
  // Used again and again: what one thread gives to another is freed late.
  const free = new Map<number, SharedArrayBuffer[]>();
  let lastId = 0;

  /** The next thread in turn, so that the hashes of several files, and of one file, run side by side. */
  const threadOf = (id: number): Worker => {
    const thread = threads[id % count] ?? startThread(waiting);
    threads[id % count] = thread;
    return thread;
  };
  const freeFor = (size: number): SharedArrayBuffer[] => {
    const blocks = free.get(roundedUp(size)) ?? [];
    free.set(roundedUp(size), blocks);
    return blocks;
  };
  const answerTo = (id: number): Promise<string[]> => {
    const answer = new Promise<string[]>((resolve, reject) => waiting.set(id, { resolve, reject }));
    // The answer is asked for at the end; an earlier failure must not count as unhandled till then.
    answer.catch(() => undefined);
    return answer;
  };
  return {
    follow(path, algorithm) {
      const id = lastId++;
      const thread = threadOf(id);
      const answer = answerTo(id);
      thread.postMessage({ id, path, algorithm, upTo: 0 });
      return {
        advance: (upTo) => thread.postMessage({ id, upTo }),
        async digest(size) {
          thread.postMessage({ id, upTo: size, end: true });
          return (await answer)[0] ?? '';
        },
      };
    },
    block: (size) => new Uint8Array(freeFor(size).pop() ?? new SharedArrayBuffer(roundedUp(size)), 0, size),
    async store(path, block, algorithms) {
      const id = lastId++;
      const answer = answerTo(id);
      // One thread is enough: writing and hashing a small file takes less than asking for it.
      threadOf(0).postMessage({ id, path, bytes: block, algorithms });
      const digests = await answer;
      freeFor(block.buffer.byteLength).push(block.buffer);
      return digests;
    },
    async close() {
      await Promise.all(threads.map((thread) => thread.terminate()));
    },
  };
}
