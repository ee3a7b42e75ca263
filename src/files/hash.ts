import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';

/** Hexadecimal SHA-256 of a file, read in pieces. */
export async function sha256OfFile(file: string, signal: AbortSignal): Promise<string> {
  const hash = createHash('sha256');
  const stream = createReadStream(file, { highWaterMark: 1024 * 1024, signal });
  for await (const piece of stream) hash.update(piece as Uint8Array);
  return hash.digest('hex');
}
