import { readdir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';

interface Entry {
  readonly path: string;
  readonly size: number;
  readonly used: number;
}

async function entriesBelow(folder: string): Promise<Entry[]> {
  const names = await readdir(folder, { recursive: true, withFileTypes: true }).catch(() => []);
  const entries: Entry[] = [];
  for (const name of names.filter((entry) => entry.isFile())) {
    const path = join(name.parentPath, name.name);
    const found = await stat(path).catch(() => undefined);
    if (found !== undefined) entries.push({ path, size: found.size, used: found.mtimeMs });
  }
  return entries;
}

/** Notes outlive the content that they name by this long: they are small, and content may come back. */
const noteLifeMs = 90 * 24 * 3600 * 1000;

/** Removes the content that was unused for longest until the rest is within `limit` bytes, and old notes. */
export async function evict(folder: string, limit: number): Promise<void> {
  const contents = await entriesBelow(join(folder, 'content'));
  let total = contents.reduce((sum, entry) => sum + entry.size, 0);
  for (const entry of contents.sort((a, b) => a.used - b.used)) {
    if (total <= limit) break;
    await rm(entry.path, { force: true });
    total -= entry.size;
  }
  for (const note of await entriesBelow(join(folder, 'sources'))) {
    if (Date.now() - note.used > noteLifeMs) await rm(note.path, { force: true });
  }
}
