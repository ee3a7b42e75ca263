import { readFile } from 'node:fs/promises';
import { invalidInput } from '../../host/inputs.ts';
import { type LockedSource, type ModelLock, parseLock } from '../lock.ts';
import { type LastRun, type PipelineBranch, readLastRun } from './lastRun.ts';
import { type MemoryKey, recall } from './memory.ts';

/** What a version is compared with, in this order; the first that answers decides. */
export interface Earlier {
  /** A lock file that the user keeps; it may be absent. */
  readonly lockFile?: string;
  /** The pipeline's branch, or why its runs cannot be looked through. */
  readonly runs: PipelineBranch | { readonly reason: string };
  readonly cacheFolder?: string;
  readonly pipeline: string;
  readonly source: LockedSource;
  readonly model: string;
}

/** An answer: the earlier locks of this model (none: there is no earlier version), and where they come from. */
export interface Baseline {
  readonly what: string;
  readonly locks: readonly ModelLock[];
}

/** What the log says of those that did not answer, and the answer if there is one. */
export interface Comparison {
  readonly notes: readonly string[];
  readonly baseline?: Baseline;
}

/** Looking for the last run never holds a run for longer than this. */
const longestMs = 15_000;

function sameModel({ source, model }: Earlier): (lock: ModelLock) => boolean {
  return (lock) => lock.name === model && lock.source.type === source.type && lock.source.url === source.url;
}

async function given(file: string): Promise<Comparison> {
  const content = await readFile(file, 'utf8').catch(() => undefined);
  if (content === undefined) return { notes: [`There is no lock of an earlier run at '${file}' yet.`] };
  const lock = parseLock(content);
  if (lock !== undefined) return { notes: [], baseline: { what: `the lock '${file}'`, locks: [lock] } };
  throw invalidInput(
    'previousLock',
    `names '${file}', which is not a model lock, or was changed after it was written`,
    "Give the file that an earlier run's output modelLock named, or a path where nothing is.",
  );
}

function fromRun(earlier: Earlier, run: LastRun | undefined): Comparison {
  if (run === undefined) {
    const what = 'the earlier runs of this pipeline and branch, of which none has succeeded';
    return { notes: [], baseline: { what, locks: [] } };
  }
  const locks = run.locks.filter(sameModel(earlier));
  if (locks.length > 0)
    return { notes: [], baseline: { what: `the last successful run ${run.number}`, locks } };
  return { notes: [`The last successful run ${run.number} attached no lock of this model.`] };
}

function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

async function lastRun(earlier: Earlier, limitMs: number): Promise<Comparison> {
  const { runs } = earlier;
  if ('reason' in runs) return { notes: [runs.reason] };
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`no answer within ${limitMs / 1000} s`)), limitMs);
  });
  try {
    return fromRun(earlier, await Promise.race([readLastRun(runs), late]));
  } catch (error) {
    return { notes: [`The last successful run could not be asked of Azure DevOps: ${reasonOf(error)}.`] };
  } finally {
    clearTimeout(timer);
  }
}

async function remembered(folder: string, key: MemoryKey): Promise<Comparison> {
  const lock = await recall(folder, key);
  if (lock === undefined) return { notes: [`The cache ${folder} remembers no version of this model.`] };
  return { notes: [], baseline: { what: `the version that the cache ${folder} remembers`, locks: [lock] } };
}

/**
 * Finds what "changed" is measured against: the given lock file, the last successful run, the cache folder.
 * A service that refuses, or a lock that is not there, is a note and leaves the answer to the next one.
 * Throws INPUT_INVALID for a given file that is no lock.
 */
export async function findBaseline(earlier: Earlier, limitMs = longestMs): Promise<Comparison> {
  const { lockFile, cacheFolder } = earlier;
  const steps = [
    ...(lockFile === undefined ? [] : [() => given(lockFile)]),
    () => lastRun(earlier, limitMs),
    ...(cacheFolder === undefined ? [] : [() => remembered(cacheFolder, earlier)]),
  ];
  const notes: string[] = [];
  for (const step of steps) {
    const found = await step();
    notes.push(...found.notes);
    if (found.baseline !== undefined) return { notes, baseline: found.baseline };
  }
  return { notes };
}

/** True when none of the earlier locks is of these very source files. */
export function differs(baseline: Baseline, lock: ModelLock): boolean {
  return baseline.locks.every(({ fingerprint }) => fingerprint !== lock.fingerprint);
}
