import { execFile } from 'node:child_process';
import { copyFile, lstat, mkdir, readdir, readlink, symlink } from 'node:fs/promises';
import { basename, dirname, join, relative, sep } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** What the run says of the commit it builds. */
export interface SourceInfo {
  /** Full commit hash; 40 zeros outside a git repository. */
  readonly version: string;
  /** For example `refs/heads/main`. */
  readonly branch: string;
  readonly message: string;
  readonly author: string;
  readonly repositoryName: string;
  /** Without credentials. */
  readonly repositoryUri: string;
}

async function git(folder: string, ...args: string[]): Promise<string | undefined> {
  try {
    const { stdout } = await run('git', args, { cwd: folder, maxBuffer: 256 * 1024 * 1024 });
    return stdout;
  } catch {
    return undefined;
  }
}

async function gitLine(folder: string, ...args: string[]): Promise<string> {
  return (await git(folder, ...args))?.trim() ?? '';
}

/** The root of the git repository around a folder; undefined when there is none. */
export async function repositoryRootOf(folder: string): Promise<string | undefined> {
  return (await gitLine(folder, 'rev-parse', '--show-toplevel')) || undefined;
}

function withoutCredentials(remote: string): string {
  if (!URL.canParse(remote)) return remote;
  const url = new URL(remote);
  url.username = '';
  url.password = '';
  return url.href;
}

/** Commit, branch and names of a working copy. */
export async function describeSource(workingCopy: string): Promise<SourceInfo> {
  const [version, branch, message, author, remote] = await Promise.all([
    gitLine(workingCopy, 'rev-parse', 'HEAD'),
    gitLine(workingCopy, 'symbolic-ref', '-q', 'HEAD'),
    gitLine(workingCopy, 'log', '-1', '--format=%s'),
    gitLine(workingCopy, 'log', '-1', '--format=%an'),
    gitLine(workingCopy, 'config', '--get', 'remote.origin.url'),
  ]);
  return {
    version: /^[0-9a-f]{40,64}$/.test(version) ? version : '0'.repeat(40),
    branch: branch || 'refs/heads/main',
    message,
    author,
    repositoryName: basename(workingCopy),
    repositoryUri: remote === '' ? `file://${workingCopy}` : withoutCredentials(remote),
  };
}

async function allFiles(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => !entry.isDirectory())
    .map((entry) => relative(folder, join(entry.parentPath, entry.name)))
    .filter((path) => !path.split(sep).some((part) => part === '.git' || part === 'node_modules'));
}

async function copyEntry(from: string, to: string): Promise<void> {
  const stat = await lstat(from).catch(() => undefined);
  // A tracked file may be deleted in the working copy, and a submodule is listed as a folder.
  if (stat === undefined || stat.isDirectory()) return;
  await mkdir(dirname(to), { recursive: true });
  if (stat.isSymbolicLink()) await symlink(await readlink(from), to);
  else await copyFile(from, to);
}

/**
 * Copies what a checkout would bring, uncommitted changes included: tracked files, and untracked ones that git
 * does not ignore. Outside a repository everything but node_modules. Returns the number of files.
 */
export async function copyWorkingCopy(workingCopy: string, target: string): Promise<number> {
  const listed = await git(workingCopy, 'ls-files', '-co', '--exclude-standard', '-z');
  const files =
    listed === undefined ? await allFiles(workingCopy) : [...new Set(listed.split('\0'))].filter(Boolean);
  await mkdir(target, { recursive: true });
  for (const file of files) await copyEntry(join(workingCopy, file), join(target, file));
  return files.length;
}
