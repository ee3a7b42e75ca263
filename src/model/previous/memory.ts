import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { writeFileAtomically } from '../../files/atomic.ts';
import { type LockedSource, type ModelLock, parseLock } from '../lock.ts';

/** Whose memory it is: a model of a source, as one pipeline's branch saw it. */
export interface MemoryKey {
  readonly source: LockedSource;
  readonly model: string;
  /** Pipeline and branch; a cache folder is shared, what each pipeline last had is not. */
  readonly pipeline: string;
}

function fileOf(cacheFolder: string, { source, model, pipeline }: MemoryKey): string {
  const identity = JSON.stringify([source.type, source.url, model, pipeline]);
  return join(cacheFolder, 'last', `${createHash('sha256').update(identity).digest('hex')}.json`);
}

/** The lock of the last step that succeeded, if the cache folder remembers one; a damaged one counts as none. */
export async function recall(cacheFolder: string, key: MemoryKey): Promise<ModelLock | undefined> {
  return parseLock(await readFile(fileOf(cacheFolder, key), 'utf8').catch(() => ''));
}

/** Remembers the lock of a step that succeeds, whole or not at all. Throws what the file system said. */
export async function remember(cacheFolder: string, key: MemoryKey, lock: ModelLock): Promise<void> {
  await writeFileAtomically(fileOf(cacheFolder, key), JSON.stringify(lock));
}
