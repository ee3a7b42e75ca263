import { createHash } from 'node:crypto';
import { lockFileName } from '../lockFile.ts';
import type { StoredFile } from '../store.ts';
import type { PathFilter } from './patterns.ts';
import type { Candidate, Readiness, SelectedFile, Version } from './types.ts';

const leftOutShown = 500;

/** How a version's files are chosen, and when it counts. */
export interface VersionRules {
  readonly filter: PathFilter;
  readonly ready: Readiness;
}

function carries({ tags = {} }: StoredFile, wanted: Readiness['tags'] = {}): boolean {
  return Object.entries(wanted).every(([key, value]) => tags[key] === value);
}

function tagText(tags: NonNullable<Readiness['tags']>): string {
  return Object.entries(tags)
    .map(([key, value]) => `'${key}=${value}'`)
    .join(' and ');
}

/** Collects one version's files from a listing; what the patterns leave out costs no memory. */
export interface VersionBuilder {
  add(path: string, stored: StoredFile): void;
  readonly isEmpty: boolean;
  /** Why the version does not count as published whole; undefined when it does. */
  unready(): string | undefined;
  version(name: string): Version;
  candidate(name: string): Candidate;
}

/** An empty version, to be filled file by file. */
export function versionBuilder({ filter, ready }: VersionRules): VersionBuilder {
  const files: SelectedFile[] = [];
  const leftOut: string[] = [];
  let newest = 0;
  let size = 0;
  let count = 0;
  let marked = false;
  let tagged = false;
  return {
    add(path, stored) {
      if (path === lockFileName) return;
      count += 1;
      if (path === ready.markerFile) marked = true;
      tagged ||= carries(stored, ready.tags);
      size += stored.size;
      newest = Math.max(newest, stored.lastModified.getTime());
      if (filter(path)) files.push({ path, stored });
      else if (leftOut.length < leftOutShown) leftOut.push(path);
    },
    get isEmpty() {
      return count === 0;
    },
    unready() {
      if (ready.markerFile !== undefined && !marked) return `it has no '${ready.markerFile}' yet`;
      if (ready.tags !== undefined && !tagged) return `no file of it has the tags ${tagText(ready.tags)}`;
      // A storage whose clock is ahead of the agent's writes in the agent's future.
      const seconds = Math.max(Math.floor((Date.now() - newest) / 1000), 0);
      return seconds >= ready.quietSeconds
        ? undefined
        : `its newest file is ${seconds} s old, and ${ready.quietSeconds} s of quiet are asked for`;
    },
    version: (name) => ({ version: name, files, leftOut, newest: new Date(newest) }),
    candidate: (name) => ({ version: name, newest: new Date(newest), files: count, size }),
  };
}

/**
 * The version of files that lie directly below the model: the file's ETag (or versionId, or snapshot), or for several
 * files a hash over theirs. It changes exactly when one of them is overwritten, added or removed.
 */
export function flatVersionName(files: readonly SelectedFile[]): string {
  const identity = ({ stored }: SelectedFile): string =>
    (stored.snapshot ?? stored.versionId ?? stored.etag).replace(/^W\//, '').replaceAll('"', '');
  const [only] = files;
  if (files.length === 1 && only !== undefined) return identity(only);
  const sorted = files.map((file) => [file.path, identity(file)]).sort();
  return `etag-${createHash('sha256').update(JSON.stringify(sorted)).digest('hex').slice(0, 16)}`;
}
