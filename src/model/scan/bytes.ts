/** Bytes that are read once, from front to back, a piece at a time. */
export interface ByteReader {
  /** The next bytes, all of them. Throws EndOfBytes when there are fewer. */
  take(count: number): Promise<Buffer>;
  /** Passes over bytes. */
  skip(count: number): Promise<void>;
  /** The bytes up to the next line feed, without it: of a longer line its first `longest`. Throws EndOfBytes. */
  line(longest: number): Promise<Buffer>;
  /** Where the next byte is. */
  readonly position: number;
  /** Goes back to an earlier place, as far as its bytes are still held. */
  back(position: number): void;
  /** Whatever is buffered or comes next; undefined at the end. */
  rest(): Promise<Buffer | undefined>;
}

/** The bytes ended where more were expected. */
export class EndOfBytes extends Error {}

/** Reads a stream of pieces; after the deadline (as `performance.now()` counts) the bytes end. */
export function byteReader(pieces: AsyncIterable<Uint8Array>, deadline: number): ByteReader {
  const iterator = pieces[Symbol.asyncIterator]();
  let buffer: Buffer = Buffer.alloc(0);
  let offset = 0;
  let passed = 0;

  const more = async (): Promise<boolean> => {
    if (performance.now() > deadline) throw new EndOfBytes('it takes too long');
    const next = await iterator.next();
    if (next.done === true) return false;
    const left = buffer.subarray(offset);
    passed += offset;
    offset = 0;
    buffer =
      left.length === 0
        ? Buffer.from(next.value.buffer, next.value.byteOffset, next.value.length)
        : Buffer.concat([left, next.value]);
    return true;
  };
  const fill = async (count: number): Promise<void> => {
    while (buffer.length - offset < count)
      if (!(await more())) throw new EndOfBytes('the bytes end too early');
  };
  const consume = (count: number): Buffer => {
    offset += count;
    return buffer.subarray(offset - count, offset);
  };
  return {
    get position() {
      return passed + offset;
    },
    async take(count) {
      if (buffer.length - offset < count) await fill(count);
      return consume(count);
    },
    async skip(count) {
      for (let left = count; ; ) {
        const here = Math.min(left, buffer.length - offset);
        offset += here;
        left -= here;
        if (left === 0) return;
        if (!(await more())) throw new EndOfBytes('the bytes end too early');
      }
    },
    async line(longest) {
      const kept: Buffer[] = [];
      for (let left = longest, isEnded = false; !isEnded; ) {
        if (offset === buffer.length && !(await more())) throw new EndOfBytes('a line does not end');
        const end = buffer.indexOf(10, offset);
        isEnded = end >= 0;
        const text = consume((isEnded ? end : buffer.length) - offset);
        if (isEnded) offset += 1;
        kept.push(Buffer.from(text.subarray(0, left)));
        left -= Math.min(left, text.length);
      }
      return Buffer.concat(kept);
    },
    back(position) {
      offset = Math.min(offset, Math.max(0, position - passed));
    },
    async rest() {
      if (offset === buffer.length && !(await more())) return undefined;
      return consume(buffer.length - offset);
    },
  };
}
