import { type FileHandle, open, readFile, rm } from 'node:fs/promises';
import { uptime } from 'node:os';
import { join } from 'node:path';
import { rangeScheme } from './ranges.ts';

/** Name of the journal within a target folder. */
export const journalFileName = '.model-delivery.ranges';

/** Which ranges of which files have arrived, kept while a set is fetched. */
export interface Journal {
  /** Ranges of this file that an interrupted run finished. */
  finished(path: string): ReadonlySet<number>;
  /** Records a range whose bytes are written. */
  record(path: string, range: number): Promise<void>;
  close(): Promise<void>;
}

/** The operating system's start in whole seconds; it is computed, so two readings may differ by one or two. */
function startOfSystem(): number {
  return Math.round(Date.now() / 1000 - uptime());
}

/**
 * Entries count only for the same version, and since the system started: a killed process loses nothing
 * that it wrote, but a power failure may lose bytes that a surviving journal names.
 */
function entriesOf(content: string, fingerprint: string): Map<string, Set<number>> {
  const finished = new Map<string, Set<number>>();
  const [header = '', ...lines] = content.split('\n');
  const [version, scheme, started] = header.split(' ');
  const sameStart = Math.abs(Number(started) - startOfSystem()) <= 5;
  if (version !== fingerprint || Number(scheme) !== rangeScheme || !sameStart) return finished;
  // A line without its end was cut off; split leaves it, or an empty text, as the last one.
  for (const line of lines.slice(0, -1)) {
    const space = line.indexOf(' ');
    const path = line.slice(space + 1);
    const ranges = finished.get(path) ?? new Set();
    finished.set(path, ranges.add(Number(line.slice(0, space))));
  }
  return finished;
}

/** Opens the folder's journal for this version, which starts anew where it was another's. */
export async function openJournal(folder: string, fingerprint: string): Promise<Journal> {
  const file = join(folder, journalFileName);
  const finished = entriesOf(await readFile(file, 'utf8').catch(() => ''), fingerprint);
  const handle: FileHandle = await open(file, finished.size === 0 ? 'w' : 'a');
  if (finished.size === 0) await handle.appendFile(`${fingerprint} ${rangeScheme} ${startOfSystem()}\n`);
  let waiting = '';
  let last: Promise<void> = Promise.resolve();
  const flush = async (): Promise<void> => {
    const lines = waiting;
    waiting = '';
    if (lines !== '') await handle.appendFile(lines);
  };
  return {
    finished: (path) => finished.get(path) ?? new Set(),
    record: (path, range) => {
      // One write after the other, each with all lines since the last: parallel ones could run into each other.
      waiting += `${range} ${path}\n`;
      last = last.then(flush);
      return last;
    },
    close: () => handle.close(),
  };
}

/** True when a next run could go on from here. */
export async function hasProgress(folder: string): Promise<boolean> {
  const content = await readFile(join(folder, journalFileName), 'utf8').catch(() => '');
  return content.split('\n').length > 2;
}

/** Forgets what has arrived. */
export async function removeJournal(folder: string): Promise<void> {
  await rm(join(folder, journalFileName), { force: true });
}
