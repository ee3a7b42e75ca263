import { createHash } from 'node:crypto';

/** `sha256:…` of a stream; stops when the signal aborts. */
export async function digestOfStream(
  content: AsyncIterable<Uint8Array>,
  signal: AbortSignal,
): Promise<string> {
  const hash = createHash('sha256');
  for await (const part of content) {
    signal.throwIfAborted();
    hash.update(part);
  }
  return `sha256:${hash.digest('hex')}`;
}
