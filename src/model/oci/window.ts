import type { BlobPart, BlobRange } from './blob.ts';

/** Random access to a blob, for its few bytes that matter. */
export interface BlobWindow {
  /** Exactly these bytes; positions ascend. Fewer at the blob's end. */
  at(position: number, length: number): Promise<Buffer>;
  close(): Promise<void>;
}

/** Bytes that are asked for at once: most headers of small files come with the ones before them. */
const windowBytes = 128 * 1024;

/** Opens a part; {@link BlobPart.ranged} tells whether it came. */
export type OpenPart = (range: BlobRange) => Promise<BlobPart>;

async function all(body: AsyncIterable<unknown>): Promise<Buffer> {
  const pieces: Uint8Array[] = [];
  for await (const piece of body as AsyncIterable<Uint8Array>) pieces.push(piece);
  return Buffer.concat(pieces);
}

/** Reads by ranges; from a registry that has none, in one pass over the whole blob. */
export function blobWindow(open: OpenPart, size: number): BlobWindow {
  let start = 0;
  let held: Buffer = Buffer.alloc(0);
  let stream: AsyncIterator<Uint8Array> | undefined;

  /** Goes on in the one pass until the bytes are held; what lies before them is let go. */
  const advance = async (iterator: AsyncIterator<Uint8Array>, position: number, end: number) => {
    while (start + held.length < end) {
      const next = await iterator.next();
      if (next.done === true) return;
      const kept = held.subarray(Math.max(0, Math.min(position - start, held.length)));
      start += held.length - kept.length;
      held = Buffer.concat([kept, next.value]);
    }
  };
  const load = async (position: number, length: number): Promise<void> => {
    const wanted = Math.min(Math.max(length, windowBytes), size - position);
    const part = await open({ offset: position, length: wanted });
    if (part.ranged) {
      held = await all(part.body);
      start = position;
      return;
    }
    stream = (part.body as AsyncIterable<Uint8Array>)[Symbol.asyncIterator]();
    [start, held] = [0, Buffer.alloc(0)];
  };
  return {
    async at(position, length) {
      const end = Math.min(position + length, size);
      const isHeld = (): boolean => position >= start && end <= start + held.length;
      if (!isHeld() && stream === undefined) await load(position, end - position);
      if (!isHeld() && stream !== undefined) await advance(stream, position, end);
      return held.subarray(position - start, end - start);
    },
    async close() {
      await stream?.return?.();
    },
  };
}
