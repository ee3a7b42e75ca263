import { lstat, mkdir, rename, rm, rmdir } from 'node:fs/promises';
import { dirname, join, sep } from 'node:path';
import { DeliveryError } from '../../errors.ts';
import { writingTo } from '../../files/errors.ts';
import { finalPath, partialPath } from './paths.ts';

function inTheWay(path: string, what: string): DeliveryError {
  return new DeliveryError({
    code: 'TARGET_UNWRITABLE',
    side: 'agent',
    message: `${what} '${path}' is in the way of the model's files.`,
    remedy: "Remove it, or set 'targetFolder' to a folder of the model's own.",
  });
}

async function kindOf(path: string): Promise<'nothing' | 'file' | 'folder' | 'other'> {
  const stat = await lstat(path).catch(() => undefined);
  if (stat === undefined) return 'nothing';
  return stat.isFile() ? 'file' : stat.isDirectory() ? 'folder' : 'other';
}

/** Folders between the target and its files, parents first. */
function foldersOf(paths: readonly string[]): string[] {
  const folders = new Set<string>();
  for (const path of paths) {
    const parts = path.split('/');
    for (let count = 1; count < parts.length; count += 1) folders.add(parts.slice(0, count).join('/'));
  }
  return [...folders].sort();
}

/**
 * Makes the target folder and those below it. Links within it are refused: they could lead writes elsewhere.
 * Throws TARGET_UNWRITABLE.
 */
export async function prepareFolder(folder: string, paths: readonly string[]): Promise<void> {
  await writingTo(folder, () => mkdir(folder, { recursive: true }));
  for (const below of foldersOf(paths)) {
    const path = finalPath(folder, below);
    const kind = await kindOf(path);
    if (kind === 'file' || kind === 'other') throw inTheWay(path, kind === 'file' ? 'The file' : 'The link');
    if (kind === 'nothing') await writingTo(path, () => mkdir(path));
  }
  for (const path of paths) {
    const final = finalPath(folder, path);
    if ((await kindOf(final)) === 'folder') throw inTheWay(final, 'The folder');
  }
}

/** Gives files that have arrived their final names. */
export async function installFiles(folder: string, paths: readonly string[]): Promise<void> {
  for (const path of paths) {
    await writingTo(folder, () => rename(partialPath(folder, path), finalPath(folder, path)));
  }
}

/** Removes files and then the folders that they leave empty; what is not there is no failure. */
export async function removeFiles(folder: string, paths: readonly string[]): Promise<void> {
  for (const path of paths) {
    const file = finalPath(folder, path);
    await writingTo(folder, () => rm(file, { force: true }));
    for (let parent = dirname(file); parent.startsWith(join(folder, sep)); parent = dirname(parent)) {
      const removed = await rmdir(parent).then(
        () => true,
        () => false,
      );
      if (!removed) break;
    }
  }
}
