import { lstat, readdir } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { DeliveryError } from '../../errors.ts';
import { type ModelLock, setDigest } from '../../model/lock.ts';
import { lockFileName } from '../../model/lockFile.ts';
import type { ModelStore } from '../../model/store.ts';
import { compareText } from '../../tar/members.ts';
import { digestOfStream } from '../layers/digest.ts';
import { readUnchanged } from '../layers/folder.ts';
import type { Model, ModelFile } from './model.ts';
import { streamedFiles } from './streamed.ts';

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

export interface LockedModelOptions {
  readonly lockFile: string;
  /** Where the files are; the lock's folder when absent. */
  readonly folder?: string;
  /** Opens the store that the lock names, for files that are not on the agent. */
  readonly openStore?: () => Promise<ModelStore>;
  readonly signal: AbortSignal;
}

async function findFiles(lock: ModelLock, options: LockedModelOptions): Promise<readonly ModelFile[]> {
  const folder = options.folder ?? dirname(options.lockFile);
  const files = await presentFiles(lock, folder);
  if (files !== undefined) return files;
  if (options.openStore !== undefined) return streamedFiles(lock, await options.openStore(), options.signal);
  throw noFiles(
    `The registry has not got model '${lock.name}' ${lock.version}, and its files are not (or not all, or not in their size) in '${folder}'.`,
    "Use FetchModel with 'mode: download' before this step and pass its outputs modelLock and modelPath (as 'modelFolder'), or set 'modelAuthentication' so that they are streamed from their source.",
  );
}

/** A locked model. Its files are asked for only when they must be sent: from the agent, else from the source. */
export function lockedModel(lock: ModelLock, options: LockedModelOptions): Model {
  const { name, version, fingerprint, digest, size, source } = lock;
  const known = digest === undefined ? {} : { digest };
  return {
    ...{ name, version, fingerprint, ...known, size, source: source.url },
    files: () => findFiles(lock, options),
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
