import { readFile } from 'node:fs/promises';
import { isAbsolute, join, relative, sep } from 'node:path';
import { Minimatch } from 'minimatch';

/** Says which paths of a folder stay out of the image. */
export interface IgnoreRules {
  /** True when the path (relative, with `/`) is excluded. */
  excludes(path: string): boolean;
  /** True when an excluded folder may still hold files that a later `!` rule brings back. */
  readonly hasExceptions: boolean;
}

interface Rule {
  readonly pattern: Minimatch;
  readonly keeps: boolean;
}

/** Never part of an application, unless .dockerignore brings it back. */
export const usuallyIgnored = ['**/.git', '**/__pycache__', '**/.DS_Store'];

const options = { dot: true, nobrace: true, noext: true, nocomment: true, nonegate: true } as const;

/** Patterns are taken from the folder's root; a trailing slash or a leading one means nothing. */
function parseRule(line: string): Rule | undefined {
  const keeps = line.startsWith('!');
  const text = (keeps ? line.slice(1) : line)
    .trim()
    .replace(/^(\.?\/)+/, '')
    .replace(/\/+$/, '');
  return text === '' || text === '.' ? undefined : { pattern: new Minimatch(text, options), keeps };
}

/**
 * Rules of a .dockerignore's text after those of `before`: the last one that matches decides.
 * https://docs.docker.com/build/concepts/context/#dockerignore-files
 */
export function parseIgnoreRules(text: string, before: readonly string[]): IgnoreRules {
  const lines = text.split(/\r?\n/).filter((line) => line.trim() !== '' && !line.startsWith('#'));
  const rules = [...before, ...lines].flatMap((line) => parseRule(line.trim()) ?? []);
  const ofFolders = new Map<string, number>([['', -1]]);

  /** Index of the last rule that matches the path or any folder above it; -1 where none does. */
  const lastRule = (path: string): number => {
    const folder = path.slice(0, Math.max(0, path.lastIndexOf('/')));
    // Many files share a folder: its rule is looked for once.
    const above = ofFolders.get(folder) ?? lastRule(folder);
    ofFolders.set(folder, above);
    return Math.max(
      above,
      rules.findLastIndex((rule, index) => index > above && rule.pattern.match(path)),
    );
  };

  return {
    hasExceptions: rules.some((rule) => rule.keeps),
    excludes: (path) => rules[lastRule(path)]?.keeps === false,
  };
}

/**
 * The rule that keeps a folder out of the one around it; undefined where it does not lie strictly within. The slash at
 * its beginning means nothing, but for a name that begins as a comment or an exception does.
 */
export function ruleFor(folder: string, inner: string | undefined): string | undefined {
  if (inner === undefined) return undefined;
  const path = relative(folder, inner);
  if (path === '' || path === '..' || path.startsWith(`..${sep}`) || isAbsolute(path)) return undefined;
  return `/${path
    .split(sep)
    .join('/')
    .replace(/[\\*?[\]]/g, '\\$&')}`;
}

/**
 * The text of a folder's .dockerignore, empty where there is none; the last rule keeps out `inner`, where that lies within
 * the folder.
 */
export async function readIgnoreFile(folder: string, inner?: string): Promise<string> {
  const text = await readFile(join(folder, '.dockerignore'), 'utf8').catch(() => '');
  const rule = ruleFor(folder, inner);
  return rule === undefined ? text : `${text}\n${rule}\n`;
}
