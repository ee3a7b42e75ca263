import { createHash, type Hash } from 'node:crypto';
import { DeliveryError } from '../../errors.ts';
import type { Archive } from '../../tar/archive.ts';
import type { ModelFile } from './model.ts';

/** Reads an archive for sending and learns its digests on the way. */
export interface Tap {
  /** The archive's bytes; after a broken transfer it is read again from where the other side stands. */
  open(offset: number): AsyncIterable<Uint8Array>;
  /** Digest of the archive; only after its last byte was read. */
  digest(): string;
  /** SHA-256 of each file, hexadecimal, in the archive's order; only after the last byte. */
  fileHashes(): readonly string[];
}

function changed(file: ModelFile, got: string): DeliveryError {
  return new DeliveryError({
    code: 'MODEL_CHANGED',
    side: 'storage',
    message: `Model file '${file.path}' is not the one that was locked: its SHA-256 is ${got}, not ${file.sha256}.`,
    remedy: 'Let nothing write into the model folder; run FetchModel again.',
  });
}

/**
 * Hashes the archive and each file in it in the one pass that sends them. A file that is not the locked one ends
 * the reading with MODEL_CHANGED before the archive is complete, so it can never be committed.
 */
export function createTap(archive: Archive, files: readonly ModelFile[]): Tap {
  const whole = createHash('sha256');
  const hashes: string[] = [];
  let position = 0;
  let current: Hash | undefined;

  const finish = (hash: Hash): void => {
    const file = files.filter((one) => one.size > 0)[hashes.length];
    const got = hash.digest('hex');
    hashes.push(got);
    current = undefined;
    if (file?.sha256 !== undefined && file.sha256 !== got) throw changed(file, got);
  };

  /** Gives the part of the bytes that belongs to files to their hashes. */
  const hashFiles = (part: Uint8Array): void => {
    for (let at = 0; at < part.byteLength; ) {
      const content = archive.contents[hashes.length];
      if (content === undefined) return;
      const start = Math.max(content.start - position, at);
      const end = Math.min(content.start + content.size - position, part.byteLength);
      if (start >= part.byteLength) return;
      current ??= createHash('sha256');
      current.update(part.subarray(start, end));
      if (content.start + content.size === position + end) finish(current);
      at = end;
    }
  };

  const take = (part: Uint8Array): void => {
    whole.update(part);
    hashFiles(part);
    position += part.byteLength;
  };

  return {
    async *open(offset) {
      let at = offset;
      for await (const part of archive.open(offset)) {
        const news = position - at;
        if (news < part.byteLength) take(news <= 0 ? part : part.subarray(news));
        at += part.byteLength;
        yield part;
      }
    },
    digest: () => `sha256:${whole.copy().digest('hex')}`,
    fileHashes: () => hashes,
  };
}
