import { DeliveryError } from '../errors.ts';
import { mapParallel } from '../parallel.ts';
import type { LockedFile } from './lock.ts';
import type { SelectedFile } from './selection/types.ts';
import type { ModelStore } from './store.ts';

/** Questions to a store at a time. */
const askedAtOnce = 8;
const shownInError = 5;

/** Below this a question costs as much as the file; those are asked for only where a digest is demanded. */
const worthAsking = 1024 * 1024;

/**
 * Asks the store, where it can tell more than its listing does, for digests of the files of which none is known;
 * of small files only if `demanded`.
 */
export async function askDigests(
  store: ModelStore,
  files: readonly SelectedFile[],
  known: (path: string) => boolean,
  demanded: boolean,
  signal: AbortSignal,
): Promise<readonly SelectedFile[]> {
  const { digests } = store;
  if (digests === undefined) return files;
  return mapParallel(files, askedAtOnce, async (file) => {
    const { path, stored } = file;
    const enough = stored.sha256 !== undefined || stored.md5 !== undefined || known(path);
    if (enough || !(demanded || stored.size > worthAsking)) return file;
    const told = await digests(stored, signal).catch((error: unknown) => {
      signal.throwIfAborted();
      // What is wrong with the service will be met, and told, by the reading.
      if (demanded || (error instanceof DeliveryError && error.code === 'MODEL_CHANGED')) throw error;
      return {};
    });
    return { path, stored: { ...stored, ...told } };
  });
}

/** What is known before anything is read. */
export interface KnownBefore {
  readonly files: readonly LockedFile[];
  /** Hexadecimal MD5 by path. */
  readonly md5: ReadonlyMap<string, string>;
  readonly expectedDigest?: string;
  /** False where nobody reads the files now, so that an MD5 is of no use. */
  readonly reads: boolean;
}

/** Throws DIGEST_REQUIRED, before a byte moves, when nothing tells what a file's content must be. */
export function requireKnownDigests(model: string, known: KnownBefore): void {
  const { files, md5, expectedDigest, reads } = known;
  if (expectedDigest !== undefined) return;
  const unknown = files.filter(({ path, sha256 }) => sha256 === undefined && !(reads && md5.has(path)));
  if (unknown.length === 0) return;
  const names = unknown.slice(0, shownInError).map(({ path }) => `'${path}'`);
  const more = unknown.length > names.length ? ` and ${unknown.length - names.length} more` : '';
  throw new DeliveryError({
    code: 'DIGEST_REQUIRED',
    side: 'storage',
    message: `'requireDigest' is set, and nothing tells the digest of ${unknown.length} of ${files.length} file(s) of ${model}: ${names.join(', ')}${more}. Nothing was transferred.`,
    remedy: `Publish the files with their SHA-256 (metadata 'sha256' in Blob Storage and S3, 'sha256' in an HTTP index), sign the model, or give 'expectedDigest' or 'previousLock'.${reads ? ' A Content-MD5 in the store is enough too.' : ''}`,
  });
}
