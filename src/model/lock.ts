import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { DeliveryError } from '../errors.ts';
import { writeFileAtomically } from '../files/atomic.ts';

/** One file of a model version. */
export interface LockedFile {
  /** Path below the model version, with `/`. */
  readonly path: string;
  /** Bytes. */
  readonly size: number;
  /** The store's identity of these bytes: a read that names it never sees others. */
  readonly etag: string;
  readonly versionId?: string;
  /** The read-only copy of the file that the bytes are read from, where a snapshot was asked for. */
  readonly snapshot?: string;
  /** Name within the source, for example the whole blob name. */
  readonly name: string;
  /** Hexadecimal SHA-256 of the content, once it is known. */
  readonly sha256?: string;
}

/** Where the version was found, without any credential. */
export interface LockedSource {
  readonly type: 'azureBlob' | 's3' | 'http' | 'oci' | 'mlflow' | 'huggingFace';
  /** For Azure Blob the container's URL without query. */
  readonly url: string;
}

/** `model.lock.json`: one immutable version of a model, enough to fetch, stream or recognise it. */
export interface ModelLock {
  readonly schemaVersion: 1;
  readonly name: string;
  readonly version: string;
  readonly source: LockedSource;
  /** Sum of the files' sizes in bytes. */
  readonly size: number;
  /** Identity of the source version (`sha256:…` over source, names, ETags and sizes); known without reading. */
  readonly fingerprint: string;
  /** `sha256:…` over the files' paths and contents, whatever they are packed in; known once all were read. */
  readonly digest?: string;
  readonly files: readonly LockedFile[];
}

/** What a lock is made from. */
export type LockParts = Pick<ModelLock, 'name' | 'version' | 'source' | 'files'>;

function sha256(text: string): string {
  return `sha256:${createHash('sha256').update(text).digest('hex')}`;
}

/** Code unit order: the same on every machine and in every locale. */
function byPath(a: LockedFile, b: LockedFile): number {
  return a.path < b.path ? -1 : a.path > b.path ? 1 : 0;
}

/** The set digest: SHA-256 over sorted lines `<sha256> <size> <path>`; undefined while a file's hash is unknown. */
export function setDigest(
  files: readonly Pick<LockedFile, 'path' | 'size' | 'sha256'>[],
): string | undefined {
  if (files.some((file) => file.sha256 === undefined)) return undefined;
  const lines = files.map((file) => ({
    path: file.path,
    line: `${file.sha256} ${file.size} ${file.path}\n`,
  }));
  lines.sort((a, b) => (a.path < b.path ? -1 : a.path > b.path ? 1 : 0));
  return sha256(lines.map((entry) => entry.line).join(''));
}

function fingerprintOf(parts: LockParts): string {
  const files = [...parts.files]
    .sort(byPath)
    .map((file) => [file.path, file.name, file.etag, file.versionId ?? '', file.size]);
  return sha256(JSON.stringify([parts.source.type, parts.source.url, parts.name, parts.version, files]));
}

/** A complete lock from its parts: files sorted, size, fingerprint and (where known) digest computed. */
export function createLock(parts: LockParts): ModelLock {
  const files = [...parts.files].sort(byPath);
  const digest = setDigest(files);
  return {
    schemaVersion: 1,
    name: parts.name,
    version: parts.version,
    source: parts.source,
    size: files.reduce((sum, file) => sum + file.size, 0),
    fingerprint: fingerprintOf(parts),
    ...(digest === undefined ? {} : { digest }),
    files,
  };
}

/** Writes the lock as `file`, whole or not at all. */
export async function writeLock(file: string, lock: ModelLock): Promise<void> {
  await writeFileAtomically(file, JSON.stringify(lock, undefined, 2) + '\n');
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isLockedFile(value: unknown): value is LockedFile {
  return (
    isRecord(value) &&
    [value['path'], value['name'], value['etag']].every((part) => typeof part === 'string') &&
    Number.isSafeInteger(value['size']) &&
    (value['sha256'] === undefined || /^[0-9a-f]{64}$/.test(String(value['sha256'])))
  );
}

function isLock(value: unknown): value is ModelLock {
  return (
    isRecord(value) &&
    value['schemaVersion'] === 1 &&
    [value['name'], value['version'], value['fingerprint']].every((part) => typeof part === 'string') &&
    isRecord(value['source']) &&
    typeof value['source']['url'] === 'string' &&
    Array.isArray(value['files']) &&
    value['files'].length > 0 &&
    value['files'].every(isLockedFile)
  );
}

/** Reads and checks a lock. Throws LOCK_UNREADABLE or LOCK_INVALID. */
export async function readLock(file: string): Promise<ModelLock> {
  const content = await readFile(file, 'utf8').catch((cause: unknown) => {
    throw new DeliveryError({
      code: 'LOCK_UNREADABLE',
      side: 'input',
      message: `The model lock '${file}' cannot be read.`,
      remedy:
        "Pass FetchModel's output modelLock, and run FetchModel earlier in the same job (or publish its folder).",
      cause,
    });
  });
  const lock = parseLock(content);
  if (lock !== undefined) return lock;
  throw new DeliveryError({
    code: 'LOCK_INVALID',
    side: 'input',
    message: `'${file}' is not a model lock of schema version 1, or it was changed after it was written.`,
    remedy: 'Let FetchModel write it anew.',
  });
}

/** The lock in this text if it is one and its sums agree with its files. */
export function parseLock(content: string): ModelLock | undefined {
  let value: unknown;
  try {
    value = JSON.parse(content);
  } catch {
    return undefined;
  }
  if (!isLock(value)) return undefined;
  const computed = createLock(value);
  const agrees =
    computed.fingerprint === value.fingerprint &&
    computed.size === value.size &&
    computed.digest === value.digest;
  return agrees ? computed : undefined;
}
