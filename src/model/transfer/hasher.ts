import { Worker } from 'node:worker_threads';
import { hashWorkerProgram } from './hashWorker.ts';

/** The hash of one growing file. */
export interface FollowingHash {
  /** All bytes before this offset are written. */
  advance(upTo: number): void;
  /** Hexadecimal digest of the file's first `size` bytes, all of which are written. */
  digest(size: number): Promise<string>;
}

/** Threads that hash files beside their transfer, one for each algorithm, started at first use. */
export interface HashThreads {
  follow(path: string, algorithm: 'sha256' | 'md5'): FollowingHash;
  close(): Promise<void>;
}

interface Answer {
  readonly id: number;
  readonly digest?: string;
  readonly error?: string;
}

interface Waiting {
  readonly resolve: (digest: string) => void;
  readonly reject: (error: Error) => void;
}

function startThread(waiting: Map<number, Waiting>): Worker {
  const worker = new Worker(hashWorkerProgram, { eval: true, execArgv: [] });
  worker.unref();
  worker.on('message', ({ id, digest, error }: Answer) => {
    if (digest !== undefined) waiting.get(id)?.resolve(digest);
    else waiting.get(id)?.reject(new Error(error));
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
  const threads = new Map<string, Worker>();
  const waiting = new Map<number, Waiting>();
  let lastId = 0;

  return {
    follow(path, algorithm) {
      const thread = threads.get(algorithm) ?? startThread(waiting);
      threads.set(algorithm, thread);
      const id = ++lastId;
      const answer = new Promise<string>((resolve, reject) => waiting.set(id, { resolve, reject }));
      // The answer is asked for at the end; an earlier failure must not count as unhandled till then.
      answer.catch(() => undefined);
      thread.postMessage({ id, path, algorithm, upTo: 0 });
      return {
        advance: (upTo) => thread.postMessage({ id, upTo }),
        digest: (size) => {
          thread.postMessage({ id, upTo: size, end: true });
          return answer;
        },
      };
    },
    async close() {
      await Promise.all([...threads.values()].map((thread) => thread.terminate()));
    },
  };
}
