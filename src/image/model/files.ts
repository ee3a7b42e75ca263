import { lstat, readdir } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { DeliveryError } from '../../errors.ts';
import { type ModelLock, setDigest } from '../../model/lock.ts';
import { lockFileName } from '../../model/lockFile.ts';
import { digestOfStream } from '../layers/digest.ts';
import { readUnchanged } from '../layers/folder.ts';
import { compareText } from '../tar/members.ts';

/** One file of the model, readable from any byte. */
export interface ModelFile {
  /** Path below the model's folder, with `/`. */
  readonly path: string;
  readonly size: number;
  /** Hexadecimal SHA-256 that the content must have, where it is known beforehand. */
  readonly sha256?: string;
  open(offset: number): AsyncIterable<Uint8Array>;
}

/** A model on its way into an image. */
export interface Model {
  readonly name: string;
  readonly version: string;
  /** Identity of the source's version, or the digest where there is no lock. */
  readonly fingerprint: string;
  /** Digest of the set of files, where it is known beforehand. */
  readonly digest?: string;
  readonly size: number;
  /** Its files, looked for only when they must be sent. */
  readonly files: () => Promise<readonly ModelFile[]>;
  /** Where it came from, without credentials. */
  readonly source?: string;
}

function noFiles(message: string, remedy: string): DeliveryError {
  return new DeliveryError({ code: 'MODEL_FILES_MISSING', side: 'input', message, remedy });
}

async function sizeOf(file: string): Promise<number | undefined> {
  return await lstat(file).then(
    (state) => (state.isFile() ? state.size : undefined),
    () => undefined,
  );
}

/** The locked files that stand in the folder with their sizes; undefined when one is missing or differs. */
async function presentFiles(lock: ModelLock, folder: string): Promise<readonly ModelFile[] | undefined> {
  const files: ModelFile[] = [];
  for (const { path, size, sha256 } of lock.files) {
    const file = join(folder, path);
    if ((await sizeOf(file)) !== size) return undefined;
    const hash = sha256 === undefined ? {} : { sha256 };
    files.push({ path, size, ...hash, open: (offset) => readUnchanged(file, size, offset) });
  }
  return files;
}

async function findFiles(lock: ModelLock, folder: string): Promise<readonly ModelFile[]> {
  const files = await presentFiles(lock, folder);
  if (files !== undefined) return files;
  throw noFiles(
    `The registry has not got model '${lock.name}' ${lock.version}, and its files are not (or not all, or not in their size) in '${folder}'.`,
    "Use FetchModel with 'mode: download' before this step and pass its outputs modelLock and modelPath (as 'modelFolder').",
  );
}

/** A locked model whose files lie beside the lock, or in `folder`; they are asked for only when they must be sent. */
export function lockedModel(lock: ModelLock, lockFile: string, folder: string | undefined): Model {
  const { name, version, fingerprint, digest, size, source } = lock;
  const known = digest === undefined ? {} : { digest };
  return {
    ...{ name, version, fingerprint, ...known, size, source: source.url },
    files: () => findFiles(lock, folder ?? dirname(lockFile)),
  };
}

async function filesBelow(folder: string, signal: AbortSignal): Promise<readonly ModelFile[]> {
  const found: ModelFile[] = [];
  const visit = async (relative: string): Promise<void> => {
    signal.throwIfAborted();
    for (const entry of await readdir(join(folder, relative), { withFileTypes: true })) {
      const path = relative === '' ? entry.name : `${relative}/${entry.name}`;
      const file = join(folder, path);
      if (entry.isDirectory()) await visit(path);
      const size = await sizeOf(file);
      if (size !== undefined) found.push({ path, size, open: (offset) => readUnchanged(file, size, offset) });
    }
  };
  await visit('');
  return found.sort((a, b) => compareText(a.path, b.path));
}

/** A folder of files without a lock: they are read once to know the digest, which is also the version. */
export async function folderModel(folder: string, signal: AbortSignal): Promise<Model> {
  const plain = await filesBelow(folder, signal).catch((cause: unknown) => {
    signal.throwIfAborted();
    const error = noFiles(`The model's folder '${folder}' cannot be read.`, "Correct 'modelFolder'.");
    throw Object.assign(error, { cause });
  });
  const kept = plain.filter((file) => file.path !== lockFileName);
  const files: ModelFile[] = [];
  for (const file of kept) {
    const digest = await digestOfStream(file.open(0), signal);
    files.push({ ...file, sha256: digest.slice('sha256:'.length) });
  }
  const digest = setDigest(files);
  if (files.length === 0 || digest === undefined) {
    throw noFiles(`The model's folder '${folder}' has no files.`, 'Let an earlier step put the model there.');
  }
  const size = files.reduce((sum, file) => sum + file.size, 0);
  const version = digest.slice('sha256:'.length, 'sha256:'.length + 12);
  return { name: basename(folder), version, fingerprint: digest, digest, size, files: async () => files };
}
