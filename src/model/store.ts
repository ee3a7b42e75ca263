import { within } from '../deadline.ts';
import { DeliveryError, type ErrorDetails } from '../errors.ts';
import { retry } from '../http/retry.ts';
import type { KnownDigests } from './checksums.ts';
import type { LockedSource } from './lock.ts';

/** A file as the store lists it. */
export interface StoredFile extends KnownDigests {
  /** Whole name within the store, with `/`. */
  readonly name: string;
  readonly size: number;
  readonly etag: string;
  readonly versionId?: string;
  /** Which read-only copy of the file this is, where it is one. */
  readonly snapshot?: string;
  readonly lastModified: Date;
  /** True where a part costs as much as the whole, because parts cannot be asked for. */
  readonly whole?: boolean;
  /** Set where the bytes cannot be read now: archived, or on their way back from there. */
  readonly archived?: 'archived' | 'rehydrating';
  /** What the publisher tagged the file with, where the listing was asked for it. */
  readonly tags?: Readonly<Record<string, string>>;
}

/** Reads pinned bytes: a store refuses (MODEL_CHANGED) when the file is no longer the listed one. */
export interface ReadOptions {
  readonly signal: AbortSignal;
  /** First byte, 0 when absent. */
  readonly offset?: number;
  /** Number of bytes; to the end when absent. */
  readonly length?: number;
}

/** What {@link ModelStore.read} needs to know of a file; a lock's entry has it too. */
export type PinnedFile = Pick<StoredFile, 'name' | 'size' | 'etag' | 'versionId' | 'snapshot'>;

/** A part of a file that a store makes of what it knows, such as the version that a pointer names. */
export async function* textPart(
  text: string,
  { offset = 0, length }: ReadOptions,
): AsyncGenerator<Uint8Array> {
  yield Buffer.from(text).subarray(offset, length === undefined ? undefined : offset + length);
}

/** A plain GET that gives exactly a pinned part, and the ETag that the answer must carry. */
export interface DirectRead {
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly etag: string;
}

/** A place that models are published to. Every implementation passes tests/contract/modelStore. */
export interface ModelStore {
  readonly source: LockedSource;
  /** All files whose name starts with the prefix, in pages as the service gives them; names ascend. */
  list(prefix: string, signal: AbortSignal): AsyncIterable<StoredFile>;
  /** The names one level below the prefix, without it, ended by `/` where they are folders. */
  children(prefix: string, signal: AbortSignal): Promise<readonly string[]>;
  /** A file as it was under a versionId or snapshot, also when it is overwritten or gone; undefined when there is none. */
  asOf?(name: string, identity: string, signal: AbortSignal): Promise<StoredFile | undefined>;
  /** The bytes of exactly this file, as the store had them when it was listed. */
  read(file: PinnedFile, options: ReadOptions): Promise<AsyncIterable<Uint8Array>>;
  /** Digests that the store keeps of exactly this file and that its listing leaves out, by a request a file. */
  digests?(file: PinnedFile, signal: AbortSignal): Promise<KnownDigests>;
  /**
   * The request by which {@link read} would ask, for a transfer that takes bytes faster than a store's client hands
   * them out; undefined where there is none. An answer that is not exactly the part is left to {@link read}.
   */
  direct?(file: PinnedFile, part: Required<ReadOptions>): Promise<DirectRead | undefined>;
}

/** A small file's text, without byte order mark and outer white space; undefined when it is larger than that. */
export async function textOf(
  store: ModelStore,
  file: StoredFile,
  largest: number,
  signal: AbortSignal,
): Promise<string | undefined> {
  if (file.size > largest) return undefined;
  const bytes = await retry(() => smallFile(store, file, signal), {
    ...{ attempts: textAttempts, signal },
    advise: (error) => {
      const afterMs = retryAfter(error);
      return { temporary: isTemporaryStoreError(error), ...(afterMs !== undefined && { afterMs }) };
    },
  });
  return bytes
    .toString('utf8')
    .replace(/^\uFEFF/, '')
    .trim();
}

const textAttempts = 4;
/** A small file that has not come after so long is asked for again, in milliseconds. */
const textMs = 30_000;

/** A file that is small, or a broken read; one that falls silent is broken too. */
async function smallFile(store: ModelStore, file: StoredFile, signal: AbortSignal): Promise<Buffer> {
  const pieces: Uint8Array[] = [];
  const limit = within(textMs, signal);
  try {
    for await (const piece of await store.read(file, { signal: limit })) pieces.push(piece);
  } catch (error) {
    signal.throwIfAborted();
    throw limit.aborted ? brokenText(file, 'it did not come in time') : error;
  }
  const bytes = Buffer.concat(pieces);
  if (bytes.length < file.size) throw brokenText(file, `${file.size - bytes.length} bytes are missing`);
  return bytes;
}

function brokenText(file: StoredFile, why: string): DeliveryError {
  return new DeliveryError({
    code: 'STORAGE_INTERRUPTED',
    side: 'storage',
    message: `'${file.name}' did not come whole: ${why}.`,
    remedy: 'Run again; if it repeats, look for a proxy or firewall that cuts or holds connections.',
  });
}

const temporaryCodes: ReadonlySet<string> = new Set([
  'STORAGE_UNREACHABLE',
  'STORAGE_INTERRUPTED',
  'STORAGE_BUSY',
]);

/** True for a store's failure that another attempt at the same read may not meet. */
export function isTemporaryStoreError(error: unknown): boolean {
  return error instanceof DeliveryError && temporaryCodes.has(error.code);
}

/** The service asked for less, or for patience. */
export class StoreBusyError extends DeliveryError {
  /** The wait that Retry-After names, in milliseconds. */
  readonly retryAfterMs: number | undefined;

  constructor(details: Omit<ErrorDetails, 'code' | 'side'>, retryAfterMs: number | undefined) {
    super({ ...details, code: 'STORAGE_BUSY', side: 'storage' });
    this.retryAfterMs = retryAfterMs;
  }
}

/** True when fewer requests at a time would help. */
export function isOverload(error: unknown): boolean {
  return error instanceof StoreBusyError;
}

/** The wait in milliseconds that the service asked for. */
export function retryAfter(error: unknown): number | undefined {
  return error instanceof StoreBusyError ? error.retryAfterMs : undefined;
}

/** The listed file is gone or was overwritten: whoever reads on would mix two versions. */
export function modelChanged(file: PinnedFile, cause: unknown): DeliveryError {
  return new DeliveryError({
    code: 'MODEL_CHANGED',
    side: 'storage',
    message: `'${file.name}' was overwritten or deleted in the model storage after this run chose it.`,
    remedy:
      'Run again: the next run chooses anew. Publish each version under a name of its own to avoid this.',
    cause,
  });
}
