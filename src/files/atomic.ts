import { randomBytes } from 'node:crypto';
import { open, rename, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { makeFolder } from './folder.ts';

/** Writes a small file whole or not at all: temporary name beside it, flushed, then renamed. */
export async function writeFileAtomically(file: string, content: string | Uint8Array): Promise<void> {
  await makeFolder(dirname(file));
  const temporary = `${file}.${randomBytes(6).toString('hex')}.partial`;
  try {
    const handle = await open(temporary, 'wx');
    try {
      await handle.writeFile(content);
      await handle.sync();
    } finally {
      await handle.close();
    }
    await rename(temporary, file);
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
}
