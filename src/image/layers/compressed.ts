import { createHash } from 'node:crypto';
import { createReadStream, createWriteStream } from 'node:fs';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGzip } from 'node:zlib';
import type { Archive } from '../tar/archive.ts';

export interface CompressedLayer {
  readonly digest: string;
  readonly diffId: string;
  readonly size: number;
  open(offset: number): AsyncIterable<Uint8Array>;
}

/** Offset of the byte that names the operating system; RFC 1952, section 2.3. */
const systemByte = 9;
const unknownSystem = 255;

/** Writes the archive, compressed, as `file`; both digests come from the same pass. */
export async function compressTo(
  file: string,
  archive: Archive,
  signal: AbortSignal,
): Promise<CompressedLayer> {
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
  await pipeline(Readable.from(hashed()), gzip, counted, createWriteStream(file), { signal });
  return {
    digest: `sha256:${packed.digest('hex')}`,
    diffId: `sha256:${plain.digest('hex')}`,
    size,
    open: (offset) => createReadStream(file, { start: offset, highWaterMark: 1024 * 1024 }),
  };
}
