import { mkdir, stat } from 'node:fs/promises';
import { dirname } from 'node:path';

function isFolder(path: string): Promise<boolean | undefined> {
  return stat(path).then(
    (found) => found.isDirectory(),
    () => undefined,
  );
}

async function makeOne(path: string): Promise<void> {
  try {
    await mkdir(path);
  } catch (error) {
    // Another run may have made it at the same moment.
    if ((await isFolder(path)) !== true) throw error;
  }
}

/**
 * Makes a folder and its missing parents, level by level. Node's own recursive mkdir never returns where a file
 * system refuses a new entry as "not found", as Linux's /proc does. Throws the file system's error.
 */
export async function makeFolder(folder: string): Promise<void> {
  const missing: string[] = [];
  for (let path = folder; (await isFolder(path)) !== true; path = dirname(path)) {
    missing.unshift(path);
    if (dirname(path) === path) break;
  }
  for (const path of missing) await makeOne(path);
}
