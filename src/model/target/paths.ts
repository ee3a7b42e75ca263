import { join } from 'node:path';
import { DeliveryError } from '../../errors.ts';
import { pathCollision, pathProblem } from '../../files/portablePath.ts';
import { lockFileName } from '../lockFile.ts';
import { journalFileName } from '../transfer/journal.ts';

/** Bookkeeping of a fetch that has not finished; it is gone after a finished one. */
export const sessionFileName = '.model-delivery.json';

/** Held by the run that works in the folder. */
export const busyFileName = '.model-delivery.busy';

/** Name under which a file arrives, beside its final name. */
export function partialPath(folder: string, path: string): string {
  return `${finalPath(folder, path)}.partial`;
}

/** Final name of a model's file. */
export function finalPath(folder: string, path: string): string {
  return join(folder, ...path.split('/'));
}

/** Name of the lock within a target folder. */
export function lockPath(folder: string): string {
  return join(folder, lockFileName);
}

function unsafe(path: string, problem: string): DeliveryError {
  return new DeliveryError({
    code: 'PATH_UNSAFE',
    side: 'storage',
    // The name may hold control characters: JSON shows them instead of sending them.
    message: `File name ${JSON.stringify(path)} in the model storage ${problem}, so it is not written to the agent's disk.`,
    remedy:
      "Publish the model with names that are safe on Linux, Windows and macOS, or leave the file out by 'files'.",
  });
}

/** Throws PATH_UNSAFE for the first path that must not become a file below the target folder. */
export function requireSafePaths(paths: readonly string[]): void {
  for (const path of paths) {
    const problem = pathProblem(path);
    if (problem !== undefined) throw unsafe(path, problem);
  }
  const own = [lockFileName, sessionFileName, journalFileName, busyFileName];
  const written = [...own, ...paths, ...paths.map((path) => `${path}.partial`)];
  const collision = pathCollision(written);
  if (collision !== undefined)
    throw unsafe(collision[1], `cannot stand beside ${JSON.stringify(collision[0])}`);
}
