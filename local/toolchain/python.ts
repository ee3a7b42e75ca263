import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { LocalContext } from '../lib/context.ts';
import { withLock } from './lock.ts';

const run = promisify(execFile);

/** A command of a Python package, with everything it needs pinned. */
export interface PythonToolSpec {
  /** The command's name. */
  readonly name: string;
  /** Requirements as pip takes them, for example `model-signing==1.1.1`. */
  readonly requirements: readonly string[];
}

/** A virtual environment's scripts name its interpreter by its whole path, so commands run as the interpreter's modules. */
function interpreter(folder: string): string {
  return process.platform === 'win32' ? join(folder, 'Scripts', 'python.exe') : join(folder, 'bin', 'python');
}

async function install(folder: string, { name, requirements }: PythonToolSpec): Promise<void> {
  const python = process.platform === 'win32' ? 'python' : 'python3';
  try {
    await run(python, ['-m', 'venv', folder]);
    await run(interpreter(folder), ['-m', 'pip', 'install', '--quiet', ...requirements], {
      maxBuffer: 16 * 1024 * 1024,
    });
  } catch (cause) {
    throw new Error(
      `${name} could not be installed: Python 3 with venv (Debian: apt-get install python3-venv) and a Python package index are needed.`,
      { cause },
    );
  }
}

/** The interpreter that has the packages, from the Python package index once and kept in the user's cache. */
export async function ensurePythonTool(context: LocalContext, spec: PythonToolSpec): Promise<string> {
  const version = createHash('sha256').update(JSON.stringify(spec.requirements)).digest('hex').slice(0, 12);
  const folder = join(context.cacheFolder, 'python', `${spec.name}-${version}`);
  const waiting = (): void => context.say(`Waiting for another run that installs ${spec.name} …`);
  await withLock(`${folder}.lock`, waiting, async () => {
    if (existsSync(folder)) return;
    context.say(`Bringing ${spec.name} from the Python package index …`);
    const temporary = `${folder}.partial`;
    await rm(temporary, { recursive: true, force: true });
    await install(temporary, spec);
    await rename(temporary, folder);
  });
  return interpreter(folder);
}
