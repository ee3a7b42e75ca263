import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { createContext, type LocalContext } from '../local/lib/context.ts';
import { stopServices } from '../local/services/index.ts';
import type { BenchOptions } from './options.ts';

/** What a benchmark has to itself: services beside those of the demo and the tests, and a folder. */
export interface Room {
  readonly context: LocalContext;
  readonly folder: string;
  /** Flags for the Node that runs a packaged task. */
  readonly nodeFlags: readonly string[];
}

/** Runs a benchmark in a room of its own; its services are stopped and its folder is gone afterwards. */
export async function withRoom<T>({ profile }: BenchOptions, use: (room: Room) => Promise<T>): Promise<T> {
  // Progress goes to standard error: standard output is the report alone.
  const shared = await createContext((line) => console.error(line));
  const folder = await mkdtemp(join(tmpdir(), 'model-delivery-bench-'));
  const stateFolder = join(folder, 'services');
  const context = { ...shared, stateFolder, logFolder: join(stateFolder, 'logs') };
  const nodeFlags = profile === undefined ? [] : ['--cpu-prof', '--cpu-prof-dir', resolve(profile)];
  try {
    return await use({ context, folder, nodeFlags });
  } finally {
    await stopServices(context);
    await rm(folder, { recursive: true, force: true });
  }
}
