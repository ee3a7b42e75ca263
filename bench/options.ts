/** What every benchmark may be told. */
export interface BenchOptions {
  /** `SMALL`: a sixteenth of the bytes, to see that all contestants run. */
  readonly size: 'SMALL' | 'FULL';
  /** Rounds of each contest; without it each benchmark has its own number. */
  readonly rounds?: number;
  /** Folder for V8's CPU profiles of the packaged tasks; taking them costs time of its own. */
  readonly profile?: string;
  /** Part of a contest's title: the others are left out. */
  readonly only?: string;
}

/** A byte count of the full size at the chosen one. */
export function scaled(bytes: number, { size }: BenchOptions): number {
  return size === 'SMALL' ? Math.ceil(bytes / 16) : bytes;
}

/** Whether a contest is held. */
export function isWanted({ only = '' }: BenchOptions, title: string): boolean {
  return title.toLowerCase().includes(only.toLowerCase());
}
