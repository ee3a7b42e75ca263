import type { LockedSource } from './lock.ts';

/** A file as the store lists it. */
export interface StoredFile {
  /** Whole name within the store, with `/`. */
  readonly name: string;
  readonly size: number;
  readonly etag: string;
  readonly versionId?: string;
  readonly lastModified: Date;
}

/** Reads pinned bytes: a store refuses (MODEL_CHANGED) when the file is no longer the listed one. */
export interface ReadOptions {
  readonly signal: AbortSignal;
  /** First byte, 0 when absent. */
  readonly offset?: number;
  /** Number of bytes; to the end when absent. */
  readonly length?: number;
}

/** A place that models are published to. Every implementation passes tests/contract/modelStore. */
export interface ModelStore {
  readonly source: LockedSource;
  /** All files whose name starts with the prefix, in pages as the service gives them; names ascend. */
  list(prefix: string, signal: AbortSignal): AsyncIterable<StoredFile>;
  /** The names one level below the prefix, ended by `/` where they are folders: for "did you mean". */
  children(prefix: string, signal: AbortSignal): Promise<readonly string[]>;
  /** The bytes of exactly this file, as the store had them when it was listed. */
  read(file: StoredFile, options: ReadOptions): Promise<AsyncIterable<Uint8Array>>;
}
