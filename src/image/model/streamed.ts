import { setTimeout as sleep } from 'node:timers/promises';
import type { LockedFile, ModelLock } from '../../model/lock.ts';
import { isTemporaryStoreError, type ModelStore, retryAfter } from '../../model/store.ts';
import type { ModelFile } from './model.ts';

/** Failures in a row without a byte between them. */
const mostFailures = 6;
const firstDelayMs = 500;

/** A file's bytes straight from its store, pinned to the lock; read on where a broken connection left off. */
async function* readOn(
  store: ModelStore,
  file: LockedFile,
  offset: number,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array> {
  let position = offset;
  let failures = 0;
  while (position < file.size) {
    const before = position;
    try {
      for await (const part of await store.read(file, { signal, offset: position })) {
        position += part.byteLength;
        failures = 0;
        yield part;
      }
      if (position === before)
        throw new Error(`the store gave no bytes of '${file.name}' from ${position} on`);
    } catch (error) {
      failures += 1;
      if (!isTemporaryStoreError(error) || failures >= mostFailures) throw error;
      await sleep(retryAfter(error) ?? firstDelayMs * 2 ** (failures - 1), undefined, { signal });
    }
  }
}

/** The lock's files as its store has them: nothing of them touches the agent's disk. */
export function streamedFiles(lock: ModelLock, store: ModelStore, signal: AbortSignal): readonly ModelFile[] {
  return lock.files.map((file) => ({
    path: file.path,
    size: file.size,
    ...(file.sha256 === undefined ? {} : { sha256: file.sha256 }),
    open: (offset) => readOn(store, file, offset, signal),
  }));
}
