import { stat } from 'node:fs/promises';
import type { ByteProgress } from '../../report/progress.ts';
import type { LockedFile } from '../lock.ts';
import { isOverload, type ModelStore } from '../store.ts';
import { partialPath } from '../target/paths.ts';
import { type Arrival, createArrival, type WantedFile } from './arrival.ts';
import { type DirectLane, openLane } from './direct.ts';
import { hashThreads } from './hasher.ts';
import { type Journal, openJournal } from './journal.ts';
import { adaptiveBudget, type Budget, type Job, runJobs } from './pool.ts';
import { fetchRange } from './range.ts';
import type { ByteRange } from './ranges.ts';

/** The files of one version that a folder lacks. */
export interface SetTransfer {
  readonly store: ModelStore;
  readonly files: readonly WantedFile[];
  readonly folder: string;
  /** Identity of the version: ranges of another are never taken over. */
  readonly fingerprint: string;
  readonly signal: AbortSignal;
  /** Told once, before the first byte, how many bytes are still missing; gives the meter for them. */
  readonly begin: (missingBytes: number) => Promise<ByteProgress>;
  readonly onRetry: (file: LockedFile, error: unknown) => void;
  /** Milliseconds without a byte after which a request is made again; 30 s when absent. */
  readonly stallMs?: number;
}

/** Requests at a time over all files. */
const requestsAtOnce = { first: 16, most: 64 };
const defaultStallMs = 30_000;

interface Running {
  readonly transfer: SetTransfer;
  readonly journal: Journal;
  readonly budget: Budget;
  readonly lane: DirectLane;
  readonly progress: ByteProgress;
  readonly received: LockedFile[];
}

/**
 * Journaled ranges of a file whose partial is as long as it must be; others are not believed. A file that comes as
 * a whole begins anew: what the journal calls its first range may have been a part.
 */
async function finishedRanges(
  journal: Journal,
  folder: string,
  { locked: file, whole }: WantedFile,
): Promise<ReadonlySet<number>> {
  const finished = journal.finished(file.path);
  if (finished.size === 0 || whole) return new Set();
  const partial = await stat(partialPath(folder, file.path)).catch(() => undefined);
  return partial?.size === file.size ? finished : new Set();
}

async function complete(arrival: Arrival, running: Running): Promise<void> {
  running.received.push({ ...arrival.wanted.locked, sha256: await arrival.complete() });
}

function rangeJob(arrival: Arrival, range: ByteRange, running: Running): Job {
  const { store, onRetry, stallMs = defaultStallMs } = running.transfer;
  const { locked } = arrival.wanted;
  return async (signal) => {
    await fetchRange(range, {
      ...{ store, signal, stallMs, lane: running.lane },
      file: locked,
      sink: await arrival.sink(range),
      came: (count) => running.progress.add(count),
      failed: (error) => {
        if (isOverload(error)) running.budget.lessen();
        onRetry(locked, error);
      },
    });
    const wasLast = await arrival.keep(range);
    await running.journal.record(locked.path, range.index);
    if (wasLast) await complete(arrival, running);
    return range.end - range.start;
  };
}

function* jobsOf(arrivals: readonly Arrival[], running: Running): Generator<Job> {
  for (const arrival of arrivals) {
    for (const range of arrival.missing) yield rangeJob(arrival, range, running);
    if (arrival.missing.length === 0) yield () => complete(arrival, running).then(() => 0);
  }
}

/**
 * Brings files beside their final names: ranges of all files in parallel under one budget, each file hashed in
 * the same pass. Ranges that an interrupted run of the same version finished are not fetched again.
 * Gives the files with their SHA-256. Throws MODEL_CHANGED, MODEL_CORRUPT, DISK_FULL, TARGET_UNWRITABLE or the
 * store's error; what has arrived till then stays, with its journal, for the next run.
 */
export async function fetchSet(transfer: SetTransfer): Promise<readonly LockedFile[]> {
  const { folder } = transfer;
  const journal = await openJournal(folder, transfer.fingerprint);
  const threads = hashThreads();
  const lane = openLane(transfer.store, transfer.stallMs ?? defaultStallMs);
  const arrivals: Arrival[] = [];
  try {
    for (const wanted of transfer.files) {
      const finished = await finishedRanges(journal, folder, wanted);
      arrivals.push(createArrival(wanted, partialPath(folder, wanted.locked.path), finished, threads));
    }
    const missing = arrivals.flatMap((arrival) => arrival.missing);
    const progress = await transfer.begin(missing.reduce((sum, range) => sum + range.end - range.start, 0));
    const budget = adaptiveBudget(requestsAtOnce);
    const running: Running = { transfer, journal, budget, lane, progress, received: [] };
    await runJobs(jobsOf(arrivals, running), budget, transfer.signal);
    progress.done();
    return running.received;
  } finally {
    lane.close();
    await Promise.all(arrivals.map((arrival) => arrival.close()));
    await Promise.all([threads.close(), journal.close()]);
  }
}
