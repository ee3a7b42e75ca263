import { execFile } from 'node:child_process';
import { readdir, readFile, rmdir } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';

const run = promisify(execFile);

async function mountTable(): Promise<readonly string[][]> {
  const text = await readFile('/proc/self/mountinfo', 'utf8').catch(() => '');
  return text.split('\n').map((line) => line.split(' '));
}

/** Mount points at or below one of the folders, innermost first. */
export async function mountsBelow(folders: readonly string[]): Promise<readonly string[]> {
  const points = (await mountTable()).map((fields) => fields[4] ?? '');
  return points
    .filter((point) => folders.some((folder) => point === folder || point.startsWith(`${folder}/`)))
    .reverse();
}

/** Detaches every mount at or below the folders. */
export async function unmountBelow(folders: readonly string[]): Promise<void> {
  for (const point of await mountsBelow(folders))
    await run('umount', ['--lazy', point]).catch(() => undefined);
}

/** The group's folder in each cgroup hierarchy, version 1 or 2, with the folders below it, innermost first. */
async function cgroupFolders(name: string): Promise<readonly string[]> {
  const roots = (await mountTable())
    .filter((fields) => fields.slice(fields.indexOf('-')).some((field) => /^cgroup2?$/.test(field)))
    .map((fields) => join(fields[4] ?? '', name));
  const listings = await Promise.all(
    roots.map(async (root) => {
      const entries = await readdir(root, { recursive: true, withFileTypes: true }).catch(() => undefined);
      const folders = entries?.filter((entry) => entry.isDirectory());
      return folders === undefined ? [] : [root, ...folders.map((it) => join(it.parentPath, it.name))];
    }),
  );
  return listings.flat().sort((a, b) => b.length - a.length);
}

function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // Already gone.
  }
}

async function cgroupProcesses(name: string): Promise<readonly number[]> {
  const files = (await cgroupFolders(name)).map((folder) => join(folder, 'cgroup.procs'));
  const lists = await Promise.all(files.map((file) => readFile(file, 'utf8').catch(() => '')));
  return [...new Set(lists.join('\n').split('\n').filter(Boolean).map(Number))].filter((pid) => pid > 0);
}

/** Ends every process in the control group and below it; at most 5 seconds. */
export async function killCgroup(name: string): Promise<void> {
  for (let attempt = 0; attempt < 100; attempt++) {
    const pids = await cgroupProcesses(name);
    if (pids.length === 0) return;
    pids.forEach(kill);
    await sleep(50);
  }
}

/** Removes the empty control group from every hierarchy. */
export async function removeCgroup(name: string): Promise<void> {
  for (const folder of await cgroupFolders(name)) await rmdir(folder).catch(() => undefined);
}

async function isNaming(pid: number, program: string, path: string): Promise<boolean> {
  const text = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '');
  const [command = ''] = text.split('\0');
  return basename(command).startsWith(program) && text.includes(path);
}

/**
 * Processes of the program (or one whose name begins so) with the path in their command line: with a path of our
 * own making they are ours, whoever their parent is.
 */
export async function processesNaming(program: string, path: string): Promise<readonly number[]> {
  const pids = (await readdir('/proc')).map(Number).filter((pid) => pid > 0);
  const named = await Promise.all(pids.map((pid) => isNaming(pid, program, path)));
  return pids.filter((_, index) => named[index]);
}

/** Ends what {@link processesNaming} finds. */
export async function killNaming(program: string, path: string): Promise<void> {
  (await processesNaming(program, path)).forEach(kill);
}
