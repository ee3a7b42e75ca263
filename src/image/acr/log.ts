import { openSignedBlob } from '../../model/azureBlob/signedBlob.ts';

/** A run's log, read as it grows. */
export interface GrowingLog {
  /** Reads what is new; true when the service has marked the log as complete and all of it was read. */
  read(): Promise<boolean>;
  /** Tells the line that has no end yet. */
  flush(): void;
}

const readAtOnce = 4 * 1024 * 1024;

/**
 * Reads the append blob behind `url`, which need not be there yet. The service sets the metadata `Complete` on it when
 * the last line is written.
 */
export function openLog(url: string, signal: AbortSignal, onLine: (line: string) => void): GrowingLog {
  const blob = openSignedBlob(url, signal);
  const decoder = new TextDecoder();
  let offset = 0;
  let rest = '';

  const take = (part: Uint8Array): void => {
    const lines = (rest + decoder.decode(part, { stream: true })).split(/\r?\n/);
    rest = lines.pop() ?? '';
    for (const line of lines) if (line.trim() !== '') onLine(line);
  };

  return {
    async read() {
      const found = await blob.look();
      if (found === undefined) return false;
      while (offset < found.size) {
        const part = await blob.read(offset, Math.min(readAtOnce, found.size - offset));
        offset += part.byteLength;
        take(part);
      }
      return Object.keys(found.metadata).some((name) => name.toLowerCase() === 'complete');
    },
    flush() {
      if (rest.trim() !== '') onLine(rest);
      rest = '';
    },
  };
}
