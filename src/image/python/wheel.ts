import { type Entry, openPromise, type ZipFile } from 'yauzl';
import type { TarMember } from '../../tar/archive.ts';
import { contentMember } from '../../tar/members.ts';

/** A wheel's files as they are installed: paths relative to the folder on PYTHONPATH. */
export interface InstalledWheel {
  readonly members: readonly TarMember[];
  close(): void;
}

const shebang = '#!/usr/bin/env python3\n';

async function readEntry(zip: ZipFile, entry: Entry): Promise<Buffer> {
  const parts: Uint8Array[] = [];
  for await (const part of await zip.openReadStreamPromise(entry)) parts.push(part as Uint8Array);
  return Buffer.concat(parts);
}

/**
 * Where a wheel's file goes; undefined for what an image does not need.
 * https://packaging.python.org/en/latest/specifications/binary-distribution-format/#the-data-directory
 */
function installedPath(name: string): string | undefined {
  const data = /^[^/]+\.data\/([^/]+)\/(.+)$/.exec(name);
  if (data === null) return name;
  const [, scheme = '', rest = ''] = data;
  if (scheme === 'purelib' || scheme === 'platlib' || scheme === 'data') return rest;
  return scheme === 'scripts' ? `bin/${rest}` : undefined;
}

/** Scripts of a wheel begin with `#!python`, which the installer replaces. */
function withShebang(content: Buffer): Buffer {
  const text = content.toString('latin1', 0, 9);
  if (!text.startsWith('#!python')) return content;
  const end = content.indexOf('\n');
  return Buffer.concat([Buffer.from(shebang), content.subarray(end + 1)]);
}

/** The commands that entry_points.txt names under [console_scripts], as `name` and `module:attribute`. */
export function consoleScripts(entryPoints: string): ReadonlyMap<string, string> {
  const scripts = new Map<string, string>();
  let section = '';
  for (const line of entryPoints.split(/\r?\n/).map((text) => text.trim())) {
    const heading = /^\[(.+)\]$/.exec(line)?.[1];
    if (heading !== undefined) section = heading.trim();
    const [, name, target] = /^([^#;=\s][^=]*?)\s*=\s*([\w.]+\s*:\s*[\w.]+)/.exec(line) ?? [];
    if (section === 'console_scripts' && name !== undefined && target !== undefined) {
      scripts.set(name, target.replaceAll(' ', ''));
    }
  }
  return scripts;
}

/** The program that starts a console script. */
export function scriptText(target: string): string {
  const [module = '', attribute = ''] = target.split(':');
  const first = attribute.split('.')[0] ?? '';
  return `${shebang}import sys\nfrom ${module} import ${first}\n\nif __name__ == '__main__':\n    sys.exit(${attribute}())\n`;
}

async function membersOf(zip: ZipFile, entry: Entry): Promise<readonly TarMember[]> {
  const path = installedPath(entry.fileName);
  if (entry.fileName.endsWith('/') || path === undefined) return [];
  if (path.startsWith('bin/')) return [contentMember(path, withShebang(await readEntry(zip, entry)), true)];
  const member: TarMember = {
    path,
    type: 'file',
    size: entry.uncompressedSize,
    executable: ((entry.externalFileAttributes >>> 16) & 0o111) !== 0,
    async *open() {
      yield* (await zip.openReadStreamPromise(entry)) as AsyncIterable<Uint8Array>;
    },
  };
  if (!/^[^/]+\.dist-info\/entry_points\.txt$/.test(path)) return [member];
  const scripts = consoleScripts((await readEntry(zip, entry)).toString('utf8'));
  return [
    member,
    ...[...scripts].map(([name, target]) =>
      contentMember(`bin/${name}`, Buffer.from(scriptText(target), 'utf8'), true),
    ),
  ];
}

/** Opens a wheel for installation; its files are read from the archive in place. */
export async function openWheel(file: string): Promise<InstalledWheel> {
  const zip = await openPromise(file, { autoClose: false });
  const members: TarMember[] = [];
  for await (const entry of zip.eachEntry()) members.push(...(await membersOf(zip, entry)));
  return { members, close: () => zip.close() };
}
