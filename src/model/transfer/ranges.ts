/** Bytes from `start` up to, not including, `end`. */
export interface ByteRange {
  readonly index: number;
  readonly start: number;
  readonly end: number;
}

/** Bytes of a range: large enough that requests cost little, small enough that a broken run repeats little. */
export const rangeBytes = 8 * 1024 * 1024;

/** A file's ranges in order; none for an empty file. */
export function rangesOf(size: number): ByteRange[] {
  return Array.from({ length: Math.ceil(size / rangeBytes) }, (_, index) => ({
    index,
    start: index * rangeBytes,
    end: Math.min((index + 1) * rangeBytes, size),
  }));
}
