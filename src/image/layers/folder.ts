import { closeSync, createReadStream, lstatSync, openSync, readFileSync, readSync } from 'node:fs';
import { readdir, readlink } from 'node:fs/promises';
import { join, posix } from 'node:path';
import { DeliveryError } from '../../errors.ts';
import type { TarMember } from '../../tar/archive.ts';
import { compareText } from '../../tar/members.ts';
import type { IgnoreRules } from './ignore.ts';

export interface FolderOptions {
  readonly folder: string;
  /** Name of the input that named the folder, for errors. */
  readonly input: string;
  readonly rules: IgnoreRules;
  /** Whether the file system's executable bits count too; they do in a Docker build, as users know it. */
  readonly keepModes?: boolean;
  /** Folder that all paths begin with; none when absent. */
  readonly root?: string;
  readonly signal: AbortSignal;
}

function changed(path: string): DeliveryError {
  return new DeliveryError({
    code: 'FILE_CHANGED',
    side: 'agent',
    message: `'${path}' changed while it was read.`,
    remedy: 'Let nothing write into the folder during this step, and run it again.',
  });
}

function unusable(path: string, what: string): DeliveryError {
  return new DeliveryError({
    code: 'FILE_UNUSABLE',
    side: 'input',
    message: `'${path}' cannot become part of the image: ${what}.`,
    remedy: 'Remove it, or exclude it by a .dockerignore file in the folder.',
  });
}

/** Small files are read at once: for each, a call that waits costs more than the reading. */
const smallFile = 64 * 1024;

/** The file's bytes from `offset` on; FILE_CHANGED when there are fewer or more than `size` in it. */
export async function* readUnchanged(file: string, size: number, offset = 0): AsyncGenerator<Uint8Array> {
  if (size <= smallFile) {
    const content = readFileSync(file);
    if (content.byteLength !== size) throw changed(file);
    yield content.subarray(offset);
    return;
  }
  let position = offset;
  for await (const part of createReadStream(file, { start: offset, highWaterMark: 1024 * 1024 })) {
    position += (part as Uint8Array).byteLength;
    if (position > size) throw changed(file);
    yield part as Uint8Array;
  }
  if (position !== size) throw changed(file);
}

/**
 * A script or a program by its first bytes, not by its mode: Windows keeps no modes, and the same commit must
 * give the same layer on every agent.
 */
function isExecutable(file: string): boolean {
  const descriptor = openSync(file, 'r');
  try {
    const start = Buffer.alloc(4);
    readSync(descriptor, start, 0, 4, 0);
    const text = start.toString('latin1');
    return text.startsWith('#!') || text === '\x7fELF';
  } finally {
    closeSync(descriptor);
  }
}

function placed({ root }: FolderOptions, path: string): string {
  return root === undefined ? path : `${root}/${path}`;
}

async function linkMember(options: FolderOptions, file: string, path: string): Promise<TarMember> {
  const target = (await readlink(file)).replaceAll('\\', '/');
  const inside = posix.join(posix.dirname(path), target);
  if (posix.isAbsolute(target) || /^[a-z]:/i.test(target) || inside === '..' || inside.startsWith('../')) {
    throw unusable(file, `it is a link to '${target}', outside of the folder`);
  }
  return { path: placed(options, path), type: 'link', size: 0, target };
}

/** By a function of its own: what `open` keeps of each of a million files is these few values, not the file's state. */
function fileMember(options: FolderOptions, path: string, size: number, executable: boolean): TarMember {
  return {
    path: placed(options, path),
    ...{ type: 'file', size, executable },
    open: (offset) => readUnchanged(join(options.folder, path), size, offset),
  };
}

async function memberOf(options: FolderOptions, path: string): Promise<TarMember> {
  const file = join(options.folder, path);
  const state = lstatSync(file);
  if (state.isSymbolicLink()) return linkMember(options, file, path);
  if (state.isDirectory()) return { path: placed(options, path), type: 'folder', size: 0 };
  if (!state.isFile()) throw unusable(file, 'it is neither a file nor a folder nor a link');
  const executable = (options.keepModes === true && (state.mode & 0o111) !== 0) || isExecutable(file);
  return fileMember(options, path, state.size, executable);
}

/** What a folder gives to the image: paths relative to it, sorted, folders before what they hold. */
export async function folderMembers(options: FolderOptions): Promise<readonly TarMember[]> {
  const members: TarMember[] = [];
  const visit = async (relative: string): Promise<void> => {
    options.signal.throwIfAborted();
    const names = await readdir(join(options.folder, relative));
    for (const name of names.sort(compareText)) {
      const path = relative === '' ? name : `${relative}/${name}`;
      const excluded = options.rules.excludes(path);
      if (excluded && !options.rules.hasExceptions) continue;
      const member = await memberOf(options, path);
      if (!excluded) members.push(member);
      if (member.type === 'folder') await visit(path);
    }
  };
  await visit('').catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'ENOENT' && error.code !== 'ENOTDIR') throw error;
    throw new DeliveryError({
      code: 'FOLDER_NOT_FOUND',
      side: 'input',
      message: `'${options.folder}' (input '${options.input}') is not a folder that can be read.`,
      remedy: "Correct the path; it is relative to the pipeline's working directory.",
      cause: error,
    });
  });
  return members;
}
