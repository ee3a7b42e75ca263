import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { createContext, type LocalContext } from '../local/lib/context.ts';
import { stopServices } from '../local/services/index.ts';
import type { BenchOptions } from './options.ts';

type Work = () => Promise<unknown>;

/** What a benchmark has to itself: services beside those of the demo and the tests, and a folder. */
export interface Room {
  readonly context: LocalContext;
  readonly folder: string;
  /** Flags for the Node that runs a packaged task. */
  readonly nodeFlags: readonly string[];
  /** Keeps what must be done before the folder goes, whether the benchmark ends, fails or is interrupted. */
  readonly atEnd: (work: Work) => void;
}

/** Runs all, the last one first; one that fails does not keep the others from running. */
async function runAll(works: readonly Work[]): Promise<void> {
  const failures: unknown[] = [];
  for (const work of works.toReversed()) await work().catch((error: unknown) => failures.push(error));
  if (failures.length > 0) throw new AggregateError(failures, 'Not everything could be cleaned up.');
}

/** Runs a benchmark in a room of its own; its services are stopped and its folder is gone afterwards. */
export async function withRoom<T>({ profile }: BenchOptions, use: (room: Room) => Promise<T>): Promise<T> {
  // Progress goes to standard error: standard output is the report alone.
  const shared = await createContext((line) => console.error(line));
  const folder = await mkdtemp(join(tmpdir(), 'model-delivery-bench-'));
  const stateFolder = join(folder, 'services');
  const context = { ...shared, stateFolder, logFolder: join(stateFolder, 'logs') };
  const nodeFlags = profile === undefined ? [] : ['--cpu-prof', '--cpu-prof-dir', resolve(profile)];
  const works: Work[] = [() => rm(folder, { recursive: true, force: true }), () => stopServices(context)];
  const interrupted = (): void => void runAll(works).finally(() => process.exit(130));
  process.once('SIGINT', interrupted).once('SIGTERM', interrupted);
  try {
    return await use({ context, folder, nodeFlags, atEnd: (work) => works.push(work) });
  } finally {
    process.off('SIGINT', interrupted).off('SIGTERM', interrupted);
    await runAll(works);
  }
}
