import { readFile } from 'node:fs/promises';
import { basename, relative, sep } from 'node:path';
import { DeliveryError } from '../../errors.ts';
import { type Archive, createArchive, type TarMember } from '../../tar/archive.ts';
import { contentMember } from '../../tar/members.ts';
import { folderMembers } from '../layers/folder.ts';
import { parseIgnoreRules, readIgnoreFile } from '../layers/ignore.ts';

/** What is sent to the engine. */
export interface BuildContext {
  readonly archive: Archive;
  /** Path of the Dockerfile in it. */
  readonly dockerfile: string;
}

export interface ContextOptions {
  readonly folder: string;
  /** Absolute path, within the folder or not. */
  readonly dockerfile: string;
  /** A folder that is never sent, where it lies within the context. */
  readonly excluded?: string;
  readonly signal: AbortSignal;
}

/** Reads a Dockerfile. Throws DOCKERFILE_NOT_FOUND. */
export async function readDockerfile(file: string): Promise<string> {
  return await readFile(file, 'utf8').catch((cause: unknown) => {
    throw new DeliveryError({
      code: 'DOCKERFILE_NOT_FOUND',
      side: 'input',
      message: `The Dockerfile '${file}' cannot be read.`,
      remedy: "Correct 'dockerfile'; it is relative to the pipeline's working directory.",
      cause,
    });
  });
}

/**
 * The build context as Docker's client packs it: without what .dockerignore excludes, but always with the Dockerfile.
 * A Dockerfile from elsewhere, and the rules, are told to the engine as ignored, so that no COPY takes them.
 */
export async function packContext(options: ContextOptions): Promise<BuildContext> {
  const { folder, dockerfile, excluded, signal } = options;
  const ignoreText = await readIgnoreFile(folder, excluded);
  const rules = parseIgnoreRules(ignoreText, []);
  const found = await folderMembers({ folder, input: 'appFolder', rules, keepModes: true, signal });
  const path = relative(folder, dockerfile).split(sep).join('/');
  if (found.some((member) => member.path === path))
    return { archive: createArchive(found), dockerfile: path };

  const name = `.model-delivery-${basename(dockerfile)}`;
  const content = Buffer.from(await readDockerfile(dockerfile), 'utf8');
  const ignored = Buffer.from(`${ignoreText}\n${name}\n.dockerignore\n`, 'utf8');
  const members: TarMember[] = [
    ...found.filter((member) => member.path !== '.dockerignore'),
    contentMember('.dockerignore', ignored, false),
    contentMember(name, content, false),
  ];
  return { archive: createArchive(members), dockerfile: name };
}
