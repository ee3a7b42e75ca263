import { lstat, mkdir, rename, rm, rmdir } from 'node:fs/promises';
import { dirname, join, sep } from 'node:path';
import { DeliveryError } from '../../errors.ts';
import { writingTo } from '../../files/errors.ts';
import { makeFolder } from '../../files/folder.ts';
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

type Kind = Awaited<ReturnType<typeof kindOf>>;

const kindNames: Readonly<Record<Kind, string>> = {
  nothing: 'Nothing',
  file: 'The file',
  folder: 'The folder',
  other: 'The link or device',
};

/** Refuses what is there and is not one of the kinds that may be there. */
async function requireKind(path: string, allowed: readonly Kind[]): Promise<Kind> {
  const kind = await kindOf(path);
  if (!allowed.includes(kind)) throw inTheWay(path, kindNames[kind]);
  return kind;
}

/**
 * Makes the target folder and those below it. Links within it are refused where they could lead writes
 * elsewhere. Throws TARGET_UNWRITABLE.
 */
export async function prepareFolder(folder: string, paths: readonly string[]): Promise<void> {
  await writingTo(folder, () => makeFolder(folder));
  for (const below of foldersOf(paths)) {
    const path = finalPath(folder, below);
    const kind = await requireKind(path, ['nothing', 'folder']);
    if (kind === 'nothing') await writingTo(path, () => mkdir(path));
  }
  for (const path of paths) {
    await requireKind(finalPath(folder, path), ['nothing', 'file', 'other']);
    await requireKind(partialPath(folder, path), ['nothing', 'file']);
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
