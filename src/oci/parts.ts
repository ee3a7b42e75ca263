import type { BlobSource } from './session.ts';

/** Reads a blob part by part, each from where the last one ended; it is opened anew only where it must be. */
export interface PartReader {
  /** Exactly `size` bytes from `offset` on. */
  read(offset: number, size: number): AsyncGenerator<Uint8Array>;
  close(): Promise<void>;
}

interface Open {
  readonly source: AsyncIterator<Uint8Array>;
  /** Of the next byte. */
  position: number;
  /** Bytes that were read and belong to the next part. */
  rest: Uint8Array | undefined;
}

async function* take(open: Open, size: number): AsyncGenerator<Uint8Array> {
  for (let left = size; left > 0; ) {
    const piece = open.rest ?? ((await open.source.next()).value as Uint8Array | undefined);
    open.rest = undefined;
    if (piece === undefined) return;
    const given = piece.byteLength <= left ? piece : piece.subarray(0, left);
    if (given.byteLength < piece.byteLength) open.rest = piece.subarray(left);
    left -= given.byteLength;
    open.position += given.byteLength;
    yield given;
  }
}

/** A reader of one blob; whoever is done closes it. */
export function partReader(blob: Pick<BlobSource, 'open'>): PartReader {
  let open: Open | undefined;
  const close = async (): Promise<void> => {
    const { source } = open ?? {};
    open = undefined;
    await source?.return?.();
  };
  return {
    async *read(offset, size) {
      if (open?.position !== offset) {
        await close();
        open = { source: blob.open(offset)[Symbol.asyncIterator](), position: offset, rest: undefined };
      }
      yield* take(open, size);
    },
    close,
  };
}
