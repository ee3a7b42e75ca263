import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { LocalContext } from '../lib/context.ts';

/** Major versions that the tasks' handlers name: `Node20_1` and `Node24`. */
export type NodeMajor = 20 | 24;

function platformPackage(): string {
  const system = process.platform === 'win32' ? 'win' : process.platform;
  return `node-${system}-${process.arch}`;
}

function binaryIn(folder: string): string {
  const file = process.platform === 'win32' ? 'node.exe' : 'node';
  return join(folder, 'node_modules', platformPackage(), 'bin', file);
}

function npmInstall(folder: string, what: string): Promise<void> {
  const npm = process.platform === 'win32' ? 'npm.cmd' : 'npm';
  const args = [
    'install',
    '--prefix',
    folder,
    '--no-save',
    '--no-fund',
    '--no-audit',
    '--loglevel=error',
    what,
  ];
  return new Promise((resolve, reject) => {
    const child = spawn(npm, args, {
      cwd: folder,
      stdio: ['ignore', 'ignore', 'inherit'],
      shell: process.platform === 'win32',
    });
    child.once('error', reject);
    child.once('exit', (code) =>
      code === 0 ? resolve() : reject(new Error(`npm could not install ${what} (exit ${code})`)),
    );
  });
}

/** The path of a real Node of this major, from npm, kept in the user's cache. */
export async function ensureNode(context: LocalContext, major: NodeMajor): Promise<string> {
  const folder = join(context.cacheFolder, `node-${major}`);
  if (existsSync(binaryIn(folder))) return binaryIn(folder);
  context.say(`Bringing Node ${major} from npm …`);
  const temporary = `${folder}.${process.pid}.partial`;
  await mkdir(temporary, { recursive: true });
  try {
    await writeFile(join(temporary, 'package.json'), '{ "private": true }');
    await npmInstall(temporary, `${platformPackage()}@${major}`);
    await rm(folder, { recursive: true, force: true });
    await rename(temporary, folder);
  } finally {
    await rm(temporary, { recursive: true, force: true });
  }
  return binaryIn(folder);
}
