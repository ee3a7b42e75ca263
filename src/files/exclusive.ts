import { randomUUID } from 'node:crypto';
import { open, readFile, rename, rm, stat, utimes } from 'node:fs/promises';
import { hostname } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { DeliveryError } from '../errors.ts';

/** Who holds a lock file. */
interface Holder {
  readonly id: string;
  readonly machine: string;
  readonly pid: number;
}

/** A holder shows that it lives by touching its file; one that has not for this long is taken for dead. */
const heartbeatMs = 5_000;
const silentMs = 60_000;

export interface ExclusiveOptions {
  readonly signal: AbortSignal;
  /** Told once, when another process holds the file. */
  readonly onWait: () => void;
  /** How long to wait for another process, in milliseconds; half an hour when absent. */
  readonly patienceMs?: number;
}

async function tryCreate(file: string, holder: Holder): Promise<boolean> {
  try {
    const handle = await open(file, 'wx');
    await handle.writeFile(JSON.stringify(holder));
    await handle.close();
    return true;
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'EEXIST') return false;
    throw error;
  }
}

/** Whether this machine has a process of this number. */
export function lives(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    // Another account's process may not be signalled, and lives.
    return error instanceof Error && 'code' in error && error.code === 'EPERM';
  }
}

async function holderOf(file: string): Promise<Holder | undefined> {
  try {
    return JSON.parse(await readFile(file, 'utf8')) as Holder;
  } catch {
    return undefined;
  }
}

/** True when the holder was killed: its process is gone, or it has been silent for long. */
async function isAbandoned(file: string, holder: Holder | undefined): Promise<boolean> {
  const touched = await stat(file).catch(() => undefined);
  if (touched === undefined) return false;
  if (Date.now() - touched.mtimeMs > silentMs) return true;
  return holder?.machine === hostname() && !lives(holder.pid);
}

/** Takes an abandoned file away; if another waiter was quicker, and its file was caught, it gets it back. */
async function takeAway(file: string, abandoned: Holder | undefined): Promise<void> {
  const aside = `${file}.${randomUUID()}`;
  await rename(file, aside).catch(() => undefined);
  const caught = await holderOf(aside);
  if (caught !== undefined && caught.id !== abandoned?.id) await rename(aside, file);
  else await rm(aside, { force: true });
}

async function acquire(file: string, holder: Holder, options: ExclusiveOptions): Promise<void> {
  const deadline = Date.now() + (options.patienceMs ?? 30 * 60_000);
  for (let waiting = false; !(await tryCreate(file, holder)); ) {
    const other = await holderOf(file);
    if (await isAbandoned(file, other)) {
      await takeAway(file, other);
      continue;
    }
    if (!waiting) options.onWait();
    waiting = true;
    if (Date.now() > deadline) {
      throw new DeliveryError({
        code: 'TARGET_BUSY',
        side: 'agent',
        message: `Another run still works in this folder: it holds '${file}'.`,
        remedy: 'Give each run a folder of its own, or run again when the other has ended.',
      });
    }
    await sleep(250, undefined, { signal: options.signal });
  }
}

/**
 * Runs `use` while this process alone holds the lock file; waits while another one does, and takes over from a
 * killed one. Throws TARGET_BUSY when the wait was in vain.
 */
export async function exclusively<T>(
  file: string,
  options: ExclusiveOptions,
  use: () => Promise<T>,
): Promise<T> {
  const holder: Holder = { id: randomUUID(), machine: hostname(), pid: process.pid };
  await acquire(file, holder, options);
  const heartbeat = setInterval(() => {
    const now = new Date();
    utimes(file, now, now).catch(() => undefined);
  }, heartbeatMs);
  heartbeat.unref();
  try {
    return await use();
  } finally {
    clearInterval(heartbeat);
    // Only what is still ours: a run that took this one for dead holds it otherwise.
    if ((await holderOf(file))?.id === holder.id) await rm(file, { force: true });
  }
}
