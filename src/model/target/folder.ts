import { lstat, mkdir, readdir, rename, rm, rmdir } from 'node:fs/promises';
import { basename, dirname, join, sep } from 'node:path';
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

type Kind = 'nothing' | 'file' | 'folder' | 'other';

async function kindOf(path: string): Promise<Kind> {
  const stat = await lstat(path).catch(() => undefined);
  if (stat === undefined) return 'nothing';
  return stat.isFile() ? 'file' : stat.isDirectory() ? 'folder' : 'other';
}

/** What some file systems take for one name. */
function folded(name: string): string {
  return name.normalize('NFC').toLowerCase();
}

/** Tells whether a path may exist, by one listing of its folder: a question a file would cost more than the file. */
function listings(): (path: string) => Promise<boolean> {
  const known = new Map<string, Promise<ReadonlySet<string> | undefined>>();
  const list = (folder: string) =>
    readdir(folder).then(
      (names) => new Set(names.map(folded)),
      () => undefined,
    );
  return async (path) => {
    const folder = dirname(path);
    const listing = known.get(folder) ?? list(folder);
    known.set(folder, listing);
    return (await listing)?.has(folded(basename(path))) ?? true;
  };
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
  const mayExist = listings();
  for (const path of paths) {
    const [final, partial] = [finalPath(folder, path), partialPath(folder, path)];
    if (await mayExist(final)) await requireKind(final, ['nothing', 'file', 'other']);
    if (await mayExist(partial)) await requireKind(partial, ['nothing', 'file']);
  }
}

/** More would only wait for the file system. */
const renamesAtOnce = 8;

/** Gives files that have arrived their final names. */
export async function installFiles(folder: string, paths: readonly string[]): Promise<void> {
  for (let at = 0; at < paths.length; at += renamesAtOnce) {
    const some = paths.slice(at, at + renamesAtOnce);
    const install = (path: string) => rename(partialPath(folder, path), finalPath(folder, path));
    await writingTo(folder, () => Promise.all(some.map(install)));
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
