/** Bytes from `start` up to, not including, `end`. */
export interface ByteRange {
  readonly index: number;
  readonly start: number;
  readonly end: number;
}

/** Bytes of a range: large enough that requests cost little, small enough that a broken run repeats little. */
export const rangeBytes = 8 * 1024 * 1024;

/** A file's ranges in order, or the one that it is as a whole; none for an empty file. */
export function rangesOf(size: number, whole = false): ByteRange[] {
  if (whole && size > 0) return [{ index: 0, start: 0, end: size }];
  return Array.from({ length: Math.ceil(size / rangeBytes) }, (_, index) => ({
    index,
    start: index * rangeBytes,
    end: Math.min((index + 1) * rangeBytes, size),
  }));
}
