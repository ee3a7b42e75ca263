import { writeSync } from 'node:fs';

/** Where the bytes of one range go, in order. */
export interface Sink {
  /** Offset in the file of the next byte. */
  readonly position: number;
  /** Takes the next bytes, which may be overwritten afterwards. */
  add(bytes: Uint8Array): void;
  /** Writes what is still held back. Throws the file system's error. */
  flush(): void;
}

/** Pieces below this are written together: TLS hands out 16 KiB at a time. */
const togetherBytes = 128 * 1024;

function writeAll(descriptor: number, bytes: Uint8Array, position: number): void {
  for (let done = 0; done < bytes.length; ) {
    done += writeSync(descriptor, bytes, done, bytes.length - done, position + done);
  }
}

/**
 * Writes to a range's place in an open file. The write is a synchronous one: it goes to the system's memory, where
 * it takes less than a thread's waking up, and no second buffer is needed; where the disk cannot keep up, the
 * sockets wait.
 */
export function fileSink(descriptor: number, start: number): Sink {
  let written = start;
  let held = 0;
  let together: Buffer | undefined;
  const flush = (): void => {
    if (together === undefined || held === 0) return;
    writeAll(descriptor, together.subarray(0, held), written);
    written += held;
    held = 0;
  };
  return {
    get position() {
      return written + held;
    },
    add(bytes) {
      if (held + bytes.length > togetherBytes) flush();
      if (bytes.length >= togetherBytes) {
        writeAll(descriptor, bytes, written);
        written += bytes.length;
        return;
      }
      together ??= Buffer.allocUnsafeSlow(togetherBytes);
      together.set(bytes, held);
      held += bytes.length;
    },
    flush,
  };
}

/** Keeps a whole small file in memory. */
export function memorySink(bytes: Uint8Array): Sink {
  let position = 0;
  return {
    get position() {
      return position;
    },
    add(more) {
      bytes.set(more, position);
      position += more.length;
    },
    flush: () => undefined,
  };
}
