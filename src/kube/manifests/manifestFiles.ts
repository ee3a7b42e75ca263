import { readdir, readFile, stat } from 'node:fs/promises';
import { isAbsolute, join, relative, resolve, sep } from 'node:path';
import { minimatch } from 'minimatch';
import { DeliveryError } from '../../errors.ts';

/** One manifest file's text; `name` is its path as the log shows it. */
export interface ManifestFile {
  readonly name: string;
  readonly text: string;
}

const manifestEnding = /\.(ya?ml|json)$/i;
const largestBytes = 10 * 1024 * 1024;

function noMatch(pattern: string, folder: string): DeliveryError {
  return new DeliveryError({
    code: 'MANIFESTS_NOT_FOUND',
    side: 'input',
    message: `No manifest file matches '${pattern}' below '${folder}'.`,
    remedy: "Correct the input 'manifests': paths or globs of .yaml, .yml or .json files, one a line.",
  });
}

function toPosix(path: string): string {
  return sep === '/' ? path : path.replaceAll(sep, '/');
}

/** The folder that a glob's matches all lie below: what stands before its first magic character. */
function fixedPart(pattern: string): string {
  const parts = pattern.split('/');
  const magic = parts.findIndex((part) => /[*?[{(!]/.test(part));
  return parts.slice(0, magic < 0 ? parts.length : magic).join('/') || (pattern.startsWith('/') ? '/' : '.');
}

async function filesBelow(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true }).catch(() => []);
  return entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
}

/** The manifest files that one line of the input names: a file, a folder's files, or a glob's matches. */
async function matches(absolute: string): Promise<string[]> {
  const found = await stat(absolute).catch(() => undefined);
  if (found?.isFile()) return [absolute];
  const glob = found?.isDirectory() ? `${absolute}/*` : absolute;
  const files = await filesBelow(resolve(fixedPart(glob)));
  return files
    .filter((file) => manifestEnding.test(file) && minimatch(toPosix(file), glob, { dot: true }))
    .sort();
}

function shownName(path: string, folder: string): string {
  const inside = relative(folder, path);
  return toPosix(inside.startsWith('..') || inside === '' ? path : inside);
}

async function readManifest(path: string, folder: string): Promise<ManifestFile> {
  const size = (await stat(path)).size;
  const name = shownName(path, folder);
  if (size <= largestBytes) return { name, text: await readFile(path, 'utf8') };
  throw new DeliveryError({
    code: 'MANIFEST_TOO_LARGE',
    side: 'input',
    message: `The manifest '${name}' has ${size} bytes; the API server takes no object above 3 MiB.`,
    remedy: 'Split the file, and keep data out of manifests.',
  });
}

/** Renders what is no plain manifest; undefined for all else. */
export type Render = (path: string, name: string) => Promise<ManifestFile | undefined>;

/**
 * Reads the files that the input's lines name, each once, in a stable order; what is to be rendered first stands
 * for itself. Throws MANIFESTS_NOT_FOUND, and what rendering throws.
 */
export async function readManifestFiles(
  patterns: readonly string[],
  folder: string,
  render: Render,
): Promise<ManifestFile[]> {
  const files = new Map<string, ManifestFile>();
  for (const pattern of patterns) {
    const path = toPosix(isAbsolute(pattern) ? resolve(pattern) : resolve(folder, pattern));
    const one = await render(path, shownName(path, folder));
    if (one !== undefined) files.set(path, one);
    const found = one === undefined ? await matches(path) : [path];
    if (found.length === 0) throw noMatch(pattern, folder);
    for (const each of found) {
      if (!files.has(each)) files.set(each, await readManifest(each, folder));
    }
  }
  return [...files.values()];
}
