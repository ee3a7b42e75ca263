import { setTimeout as sleep } from 'node:timers/promises';
import { versionMark } from '../../model/http/identity.ts';
import { gitMark } from '../../model/huggingFace/repository.ts';
import type { LockedFile, ModelLock } from '../../model/lock.ts';
import { isTemporaryStoreError, type ModelStore, retryAfter } from '../../model/store.ts';
import type { ModelFile } from './model.ts';

/** Failures in a row without a byte between them. */
const mostFailures = 6;
const firstDelayMs = 500;
/** Large, because each range costs the SDK some milliseconds of processor time. */
const rangeSize = 8 * 1024 * 1024;

/**
 * One connection to a cloud's storage gives a fraction of the line, so ranges are read ahead of the sender: fewer
 * where several files are under way at a time, so that memory stays within 64 MiB.
 */
function rangesAhead(files: number): number {
  return files < 3 ? 4 : 2;
}

/** Identities of files that are only as wholes what they are: pinned by a version, or compared with a git object. */
const wholeMarks = [versionMark, gitMark];

interface Range {
  readonly start: number;
  readonly size: number;
}

/** A range of a file as it was locked; read on where a broken connection left off. */
async function* readOn(
  store: ModelStore,
  file: LockedFile,
  range: Range,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array> {
  let done = 0;
  let failures = 0;
  while (done < range.size) {
    const before = done;
    try {
      const options = { signal, offset: range.start + done, length: range.size - done };
      for await (const part of await store.read(file, options)) {
        done += part.byteLength;
        failures = 0;
        yield part;
      }
      if (done === before)
        throw new Error(`the store gave no bytes of '${file.name}' from ${options.offset} on`);
    } catch (error) {
      failures += 1;
      if (!isTemporaryStoreError(error) || failures >= mostFailures) throw error;
      await sleep(retryAfter(error) ?? firstDelayMs * 2 ** (failures - 1), undefined, { signal });
    }
  }
}

async function readRange(
  store: ModelStore,
  file: LockedFile,
  range: Range,
  signal: AbortSignal,
): Promise<Buffer> {
  const content = Buffer.allocUnsafe(range.size);
  let filled = 0;
  for await (const part of readOn(store, file, range, signal)) {
    content.set(part, filled);
    filled += part.byteLength;
  }
  return content;
}

/** A file's bytes straight from its store, in order, several ranges under way at a time. */
async function* readAhead(
  store: ModelStore,
  file: LockedFile,
  reading: { readonly offset: number; readonly ahead: number; readonly signal: AbortSignal },
): AsyncGenerator<Uint8Array> {
  const ended = new AbortController();
  const either = AbortSignal.any([reading.signal, ended.signal]);
  const waiting: Promise<Buffer>[] = [];
  let start = reading.offset;
  const fill = (): void => {
    while (waiting.length < reading.ahead && start < file.size) {
      const range = { start, size: Math.min(rangeSize, file.size - start) };
      const content = readRange(store, file, range, either);
      // Its failure is thrown when its turn comes; until then it must not count as unhandled.
      content.catch(() => undefined);
      waiting.push(content);
      start += range.size;
    }
  };
  try {
    fill();
    for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
      yield await next;
      fill();
    }
  } finally {
    ended.abort();
  }
}

/**
 * The lock's files as their store has them: nothing of them touches the agent's disk. A web server (and MLflow's, for a
 * file that only its version pins) may know no ranges, and would send the whole file for each: one request reads it.
 */
export function streamedFiles(lock: ModelLock, store: ModelStore, signal: AbortSignal): readonly ModelFile[] {
  const ahead = rangesAhead(lock.files.length);
  const open = (file: LockedFile, offset: number): AsyncIterable<Uint8Array> =>
    store.source.type === 'http' || wholeMarks.some((mark) => file.etag.startsWith(mark))
      ? readOn(store, file, { start: offset, size: file.size - offset }, signal)
      : readAhead(store, file, { offset, ahead, signal });
  return lock.files.map((file) => ({
    path: file.path,
    size: file.size,
    ...(file.sha256 === undefined ? {} : { sha256: file.sha256 }),
    open: (offset) => open(file, offset),
  }));
}
