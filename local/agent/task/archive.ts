import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join, relative, sep } from 'node:path';
import { unzipSync } from 'fflate';
import { DeliveryError } from '../../../src/errors.ts';

/** The files of an extension: a .vsix, or the folder that one is made from. */
export interface Archive {
  readonly path: string;
  /** Paths with forward slashes. */
  readonly names: readonly string[];
  read(name: string): Uint8Array;
}

function openFolder(path: string): Archive {
  const names = readdirSync(path, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => relative(path, join(entry.parentPath, entry.name)).split(sep).join('/'))
    .filter((name) => !name.includes('node_modules/'));
  return { path, names, read: (name) => readFileSync(join(path, name)) };
}

function openZip(path: string): Archive {
  const files = unzipSync(readFileSync(path));
  const names = Object.keys(files).filter((name) => !name.endsWith('/'));
  return { path, names, read: (name) => files[name] ?? new Uint8Array() };
}

/** Opens a .vsix or folder. Throws EXTENSION_UNREADABLE. */
export function openArchive(path: string): Archive {
  try {
    if (!existsSync(path)) throw new Error('no such file');
    return statSync(path).isDirectory() ? openFolder(path) : openZip(path);
  } catch (cause) {
    throw new DeliveryError({
      code: 'EXTENSION_UNREADABLE',
      side: 'input',
      message: `The extension ${path} cannot be read.`,
      remedy: "Make it with 'npm run package', or give another with --vsix.",
      cause,
    });
  }
}
