/** Bytes from `start` up to, not including, `end`. */
export interface ByteRange {
  readonly index: number;
  readonly start: number;
  readonly end: number;
}

const mebibyte = 1024 * 1024;

/** Bytes of the largest range: large enough that requests cost little, small enough that a broken run repeats little. */
export const largestRange = 8 * mebibyte;
/** A smaller file is divided into as many, so that it too comes over several connections. */
const rangesOfSmaller = 32;

/** Which division this is: a journal of another one names other bytes by the same numbers. */
export const rangeScheme = 2;

function rangeBytes(size: number): number {
  return Math.min(largestRange, Math.ceil(size / rangesOfSmaller / mebibyte) * mebibyte);
}

/** A file's ranges in order, or the one that it is as a whole; none for an empty file. They follow from its size. */
export function rangesOf(size: number, whole = false): ByteRange[] {
  if (whole && size > 0) return [{ index: 0, start: 0, end: size }];
  const bytes = rangeBytes(size);
  return Array.from({ length: size === 0 ? 0 : Math.ceil(size / bytes) }, (_, index) => ({
    index,
    start: index * bytes,
    end: Math.min((index + 1) * bytes, size),
  }));
}
