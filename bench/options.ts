/** What every benchmark may be told. */
export interface BenchOptions {
  /** `SMALL`: a sixteenth of the bytes, to see that all contestants run. */
  readonly size: 'SMALL' | 'FULL';
  /** Rounds of each contest; without it each benchmark has its own number. */
  readonly rounds?: number;
}

/** A byte count of the full size at the chosen one. */
export function scaled(bytes: number, { size }: BenchOptions): number {
  return size === 'SMALL' ? Math.ceil(bytes / 16) : bytes;
}
