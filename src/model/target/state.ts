import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { writeFileAtomically } from '../../files/atomic.ts';
import { pathProblem } from '../../files/portablePath.ts';
import { type LockedFile, type ModelLock, parseLock } from '../lock.ts';
import { removeJournal } from '../transfer/journal.ts';
import { lockPath, sessionFileName } from './paths.ts';

/** What earlier runs left in a target folder. */
export interface TargetState {
  /** The version that the folder holds, whole. */
  readonly lock: ModelLock | undefined;
  /** Versions that an interrupted run was replacing or fetching: the folder may hold parts of each. */
  readonly unfinished: readonly ModelLock[];
}

/** A lock whose paths all stay below the folder: others are not ours, and are not followed. */
function trusted(content: string): ModelLock | undefined {
  const lock = parseLock(content);
  return lock?.files.every((file) => pathProblem(file.path) === undefined) ? lock : undefined;
}

async function contentOf(file: string): Promise<string> {
  return readFile(file, 'utf8').catch(() => '');
}

function parseSession(content: string): ModelLock[] {
  try {
    const value: unknown = JSON.parse(content);
    const locks = Array.isArray(value) ? value.map((lock) => trusted(JSON.stringify(lock))) : [];
    return locks.filter((lock) => lock !== undefined);
  } catch {
    return [];
  }
}

/** Reads what is known of the folder; what is missing or damaged counts as not known. */
export async function readState(folder: string): Promise<TargetState> {
  return {
    lock: trusted(await contentOf(lockPath(folder))),
    unfinished: parseSession(await contentOf(join(folder, sessionFileName))),
  };
}

/** Remembers, before anything is changed, whose files the folder may hold from now on. */
export async function beginSession(folder: string, state: TargetState, next: ModelLock): Promise<void> {
  const locks = [...(state.lock === undefined ? [] : [state.lock]), ...state.unfinished, next];
  const distinct = new Map(locks.map((lock) => [`${lock.fingerprint} ${lock.digest}`, lock]));
  await writeFileAtomically(join(folder, sessionFileName), JSON.stringify([...distinct.values()]));
}

/** The folder holds what its lock says, and nothing unfinished. */
export async function endSession(folder: string): Promise<void> {
  await removeJournal(folder);
  await rm(join(folder, sessionFileName), { force: true });
}

/** Every file that earlier runs may have written. */
export function ownedFiles(state: TargetState): readonly LockedFile[] {
  return [state.lock, ...state.unfinished].flatMap((lock) => lock?.files ?? []);
}
