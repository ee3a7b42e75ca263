import { rm } from 'node:fs/promises';
import { writingTo } from '../../files/errors.ts';
import { type ModelLock, writeLock } from '../lock.ts';
import { installFiles, removeFiles } from './folder.ts';
import { lockPath, partialPath } from './paths.ts';
import { beginSession, endSession, ownedFiles, type TargetState } from './state.ts';

/** The change from what a folder holds to what it shall hold. */
export interface Installation {
  readonly folder: string;
  readonly state: TargetState;
  readonly lock: ModelLock;
  /** Paths that wait beside their final names. */
  readonly arrived: readonly string[];
  /** Paths that stay; earlier runs' other files go. */
  readonly kept: ReadonlySet<string>;
}

/** Removes what arrived, or was arriving, beside the final names. */
export async function removePartials(folder: string, paths: readonly string[]): Promise<void> {
  for (const path of paths) await rm(partialPath(folder, path), { force: true });
}

/** Replaces what the folder holds; while it may hold a mixture it has no lock. */
export async function install({ folder, state, lock, arrived, kept }: Installation): Promise<void> {
  await writingTo(folder, async () => {
    await beginSession(folder, state, lock);
    await rm(lockPath(folder), { force: true });
  });
  await installFiles(folder, arrived);
  const stale = ownedFiles(state)
    .map((file) => file.path)
    .filter((path) => !kept.has(path));
  await removePartials(folder, stale);
  await removeFiles(folder, stale);
  await writingTo(folder, () => writeLock(lockPath(folder), lock));
  await endSession(folder);
}
