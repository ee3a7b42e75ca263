import { answerInvalid, isNode, type JsonNode, nodesAt, textAt } from '../http/json.ts';
import { compareFolders, compareNames } from '../names.ts';
import type { StoredFile } from '../store.ts';
import { askHub, type Hub, listHub } from './api.ts';

/** A repository of a hub, whose revisions are the versions of one model. */
export interface Repository extends Hub {
  /** For example `org/name`. */
  readonly id: string;
}

/** Names that stand for commits; those with a slash are no version's name. */
export interface References {
  readonly tags: readonly string[];
  readonly branches: readonly string[];
}

/** One commit. */
export interface Revision {
  readonly commit: string;
  readonly date: Date;
}

/** Begins the identity of a file that the repository itself holds; its git object's SHA-1 follows. */
export const gitMark = 'git:';

function names(refs: JsonNode, key: string): string[] {
  return nodesAt(refs, key)
    .map((ref) => textAt(ref, 'name'))
    .filter((name) => name !== '' && !name.includes('/'))
    .sort(compareFolders);
}

/** The tags and branches; none where there is no such repository. */
export async function referencesOf(repository: Repository, signal: AbortSignal): Promise<References> {
  const refs = await askHub(repository, `${repository.id}/refs`, signal);
  return refs === undefined
    ? { tags: [], branches: [] }
    : { tags: names(refs, 'tags'), branches: names(refs, 'branches') };
}

/** The commit that a tag, a branch or a commit's own id names. */
export async function revisionOf(
  repository: Repository,
  name: string,
  signal: AbortSignal,
): Promise<Revision | undefined> {
  const path = `${repository.id}/revision/${encodeURIComponent(name)}`;
  const found = await askHub(repository, path, signal);
  const commit = found === undefined ? '' : textAt(found, 'sha');
  if (found === undefined || !/^[0-9a-f]{7,64}$/.test(commit)) return undefined;
  const date = new Date(textAt(found, 'lastModified'));
  return { commit, date: Number.isNaN(date.getTime()) ? new Date(0) : date };
}

function fileOf({ server }: Repository, node: JsonNode, { commit, date }: Revision): StoredFile | undefined {
  const [name, lfs, oid] = [textAt(node, 'path'), node['lfs'], textAt(node, 'oid')];
  if (node['type'] !== 'file' || name === '') return undefined;
  const size = Number((isNode(lfs) ? lfs['size'] : undefined) ?? node['size']);
  if (!Number.isSafeInteger(size) || size < 0)
    throw answerInvalid(new URL(server.url), `the size of '${name}' is no number`);
  const common = { name, size, versionId: commit, lastModified: date };
  const sha256 = isNode(lfs) ? textAt(lfs, 'oid').replace(/^sha256:/, '') : '';
  if (isNode(lfs) && /^[0-9a-f]{64}$/.test(sha256)) {
    return { ...common, etag: `sha256:${sha256}`, sha256 };
  }
  // Small, and only as a whole comparable with its git object.
  return { ...common, etag: `${gitMark}${oid}`, whole: true };
}

/** All files of a commit, by their paths within it. */
export async function filesOf(
  repository: Repository,
  revision: Revision,
  signal: AbortSignal,
): Promise<readonly StoredFile[]> {
  const path = `/${repository.id}/tree/${revision.commit}?recursive=true`;
  const nodes = await listHub(repository, path, signal);
  return nodes
    .map((node) => fileOf(repository, node, revision))
    .filter((file) => file !== undefined)
    .sort((a, b) => compareNames(a.name, b.name));
}

/** Ids of models that the hub has under the same owner, or that are called similarly. */
export async function similarModels(hub: Hub, prefix: string, like: string, signal: AbortSignal) {
  const query = new URLSearchParams(prefix === '' ? { search: like } : { author: prefix.replace(/\/$/, '') });
  const found = await listHub(hub, `?${query}&limit=100`, signal);
  return found.map((node) => textAt(node, 'id')).filter((id) => id.startsWith(prefix));
}
