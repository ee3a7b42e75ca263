import { createHash, randomUUID } from 'node:crypto';
import { constants, copyFile, readFile, rename, rm, stat, utimes } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { writeFileAtomically } from '../../files/atomic.ts';
import { makeFolder } from '../../files/folder.ts';
import { sha256OfFile } from '../../files/hash.ts';
import type { LockedFile, LockedSource } from '../lock.ts';
import { evict } from './evict.ts';

/**
 * Files by their content, shared by runs, models and agents on one disk. What it holds is believed only after
 * it was hashed again, so a damaged or tampered entry costs a download and nothing else.
 */
export interface ModelCache {
  /** Puts a copy of the file's content at `destination`; the file with its hash, or undefined if it is not here. */
  take(file: LockedFile, destination: string, signal: AbortSignal): Promise<LockedFile | undefined>;
  /** Keeps the content of a verified file. */
  keep(file: LockedFile, location: string): Promise<void>;
  /** Removes what was unused for longest until the cache is within its limit. */
  trim(): Promise<void>;
}

function contentFile(folder: string, sha256: string): string {
  return join(folder, 'content', sha256.slice(0, 2), sha256);
}

/** Where the hash of a source's file is noted: without it a file whose hash nobody recorded could not be found. */
function noteFile(folder: string, source: LockedSource, file: LockedFile): string {
  const identity = [source.type, source.url, file.name, file.etag, file.versionId ?? '', file.size];
  const hash = createHash('sha256').update(JSON.stringify(identity)).digest('hex');
  return join(folder, 'sources', hash.slice(0, 2), hash);
}

/**
 * A copy that appears whole or not at all, and shares its blocks where the file system can. Never a hard link:
 * whoever changed one file in place would change every other run's too.
 */
async function duplicate(from: string, to: string): Promise<void> {
  await makeFolder(dirname(to));
  const temporary = `${to}.${randomUUID()}`;
  try {
    await copyFile(from, temporary, constants.COPYFILE_FICLONE);
    await rename(temporary, to);
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
}

/** Copies an entry; false when another agent evicted it meanwhile, which is no failure. */
async function copied(content: string, destination: string): Promise<boolean> {
  try {
    await duplicate(content, destination);
    return true;
  } catch (error) {
    const isThere = await stat(content).then(
      () => true,
      () => false,
    );
    if (isThere) throw error;
    return false;
  }
}

/** What was used last goes last. */
async function markUsed(content: string): Promise<void> {
  const now = new Date();
  await utimes(content, now, now).catch(() => undefined);
}

/** The cache in a folder; it is made at first use. The limit is in bytes. */
export function openCache(folder: string, source: LockedSource, limit: number): ModelCache {
  return {
    async take(file, destination, signal) {
      const noted = file.sha256 ?? (await readFile(noteFile(folder, source, file), 'utf8').catch(() => ''));
      if (!/^[0-9a-f]{64}$/.test(noted)) return undefined;
      const content = contentFile(folder, noted);
      const known = await stat(content).catch(() => undefined);
      if (known === undefined) return undefined;
      if (!(await copied(content, destination))) return undefined;
      const actual = await sha256OfFile(destination, signal);
      if (actual !== noted || known.size !== file.size) {
        await rm(content, { force: true });
        await rm(destination, { force: true });
        return undefined;
      }
      await markUsed(content);
      return { ...file, sha256: noted };
    },
    async keep(file, location) {
      if (file.sha256 === undefined) return;
      const content = contentFile(folder, file.sha256);
      const known = await stat(content).catch(() => undefined);
      if (known?.size === file.size) await markUsed(content);
      else await duplicate(location, content);
      await writeFileAtomically(noteFile(folder, source, file), file.sha256);
    },
    trim: () => evict(folder, limit),
  };
}
