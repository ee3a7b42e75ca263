import { randomUUID } from 'node:crypto';
import { mkdir, rename, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

const heartbeatMs = 2_000;
const staleMs = 20_000;

async function tryCreate(file: string): Promise<boolean> {
  try {
    await writeFile(file, String(process.pid), { flag: 'wx' });
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    return false;
  }
}

/** A holder that was killed leaves its file; it is known by a heartbeat that stopped. */
async function removeStale(file: string): Promise<void> {
  const age = await stat(file).then(
    (found) => Date.now() - found.mtimeMs,
    () => 0,
  );
  if (age < staleMs) return;
  // A rename is atomic: of several that wait, one takes the dead holder's file away.
  const aside = `${file}.${randomUUID()}`;
  await rename(file, aside).catch(() => undefined);
  await rm(aside, { force: true });
}

async function acquire(file: string, onWait: () => void): Promise<void> {
  await mkdir(dirname(file), { recursive: true });
  for (let waited = false; !(await tryCreate(file)); waited = true) {
    if (!waited) onWait();
    await removeStale(file);
    await sleep(200);
  }
}

/**
 * Does the work while no other process that names the same file does. The holder touches the file every two
 * seconds; a file untouched for twenty belongs to a dead process and is taken over.
 */
export async function withLock<T>(file: string, onWait: () => void, work: () => Promise<T>): Promise<T> {
  await acquire(file, onWait);
  const heartbeat = setInterval(() => {
    const now = new Date();
    utimes(file, now, now).catch(() => undefined);
  }, heartbeatMs);
  try {
    return await work();
  } finally {
    clearInterval(heartbeat);
    await rm(file, { force: true });
  }
}
