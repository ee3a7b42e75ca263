import { mkdir, readdir, readFile, rmdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

interface Hierarchy {
  readonly folder: string;
  readonly type: string;
}

async function hierarchies(): Promise<Hierarchy[]> {
  const lines = (await readFile('/proc/mounts', 'utf8')).split('\n').map((line) => line.split(' '));
  return lines.flatMap(([, folder = '', type = '']) => (/^cgroup2?$/.test(type) ? [{ folder, type }] : []));
}

/** On cgroup v2 a folder has the controllers that its parent passes on. */
async function passControllersOn(folder: string): Promise<void> {
  const controllers = (await readFile(join(folder, 'cgroup.controllers'), 'utf8')).trim().split(' ');
  const enable = (name: string) => writeFile(join(folder, 'cgroup.subtree_control'), `+${name}`);
  // One by one: a controller that cannot be passed on must not keep the others back.
  for (const name of controllers.filter(Boolean)) await enable(name).catch(() => undefined);
}

/** Makes the control group that holds every pod of one node, in each hierarchy of the machine. */
export async function ensureCgroups(name: string): Promise<void> {
  for (const { folder, type } of await hierarchies()) {
    if (type === 'cgroup2') await passControllersOn(folder);
    await mkdir(join(folder, name), { recursive: true });
  }
}

async function removeTree(folder: string): Promise<void> {
  const entries = await readdir(folder, { withFileTypes: true }).catch(() => []);
  for (const entry of entries) if (entry.isDirectory()) await removeTree(join(folder, entry.name));
  await rmdir(folder);
}

/** Removes the groups once their last process has ended; waits for that up to ten seconds. */
export async function removeCgroups(name: string): Promise<void> {
  const deadline = Date.now() + 10_000;
  for (const { folder } of await hierarchies()) {
    const isGone = () =>
      removeTree(join(folder, name)).then(
        () => true,
        (error: NodeJS.ErrnoException) => error.code === 'ENOENT',
      );
    while (!(await isGone()) && Date.now() < deadline) await sleep(50);
  }
}
