import { createHash, randomUUID } from 'node:crypto';
import { createReadStream, createWriteStream } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { createGzip } from 'node:zlib';
import type { Archive } from '../../tar/archive.ts';

export interface CompressedLayer {
  readonly digest: string;
  readonly diffId: string;
  readonly size: number;
  open(offset: number): AsyncIterable<Uint8Array>;
  /** Frees the disk before the run ends. */
  remove(): Promise<void>;
}

/** Offset of the byte that names the operating system; RFC 1952, section 2.3. */
const systemByte = 9;
const unknownSystem = 255;

/**
 * Writes the archive, compressed, as a new file in `folder`; both digests come from the same pass. Memory does not
 * grow with the archive: a part is read when the one before it is compressed. Equal content gives equal bytes on
 * Nodes of one zlib; another zlib may pack otherwise, so what is to be found again is named by the diff ID (docs/adr).
 */
export async function compressInto(
  folder: string,
  archive: Pick<Archive, 'open'>,
  signal: AbortSignal,
): Promise<CompressedLayer> {
  const file = join(folder, `${randomUUID()}.tar.gz`);
  const plain = createHash('sha256');
  const packed = createHash('sha256');
  let size = 0;

  async function* hashed(): AsyncGenerator<Uint8Array> {
    for await (const part of archive.open()) {
      plain.update(part);
      yield part;
    }
  }
  async function* counted(parts: AsyncIterable<Buffer>): AsyncGenerator<Uint8Array> {
    for await (const part of parts) {
      if (size <= systemByte && systemByte < size + part.byteLength) part[systemByte - size] = unknownSystem;
      size += part.byteLength;
      packed.update(part);
      yield part;
    }
  }
  const gzip = createGzip({ level: 6 });
  await pipeline(hashed(), gzip, counted, createWriteStream(file), { signal });
  return {
    digest: `sha256:${packed.digest('hex')}`,
    diffId: `sha256:${plain.digest('hex')}`,
    size,
    open: (offset) => createReadStream(file, { start: offset, highWaterMark: 1024 * 1024 }),
    remove: () => rm(file, { force: true }),
  };
}
