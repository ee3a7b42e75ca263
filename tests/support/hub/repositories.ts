import { createHash } from 'node:crypto';

/** A file as a repository has it: in its git objects, or, when it is large or binary, beside them. */
export interface HubFile {
  readonly content: Buffer;
  /** Git object of the file, or of its LFS pointer. */
  readonly oid: string;
  readonly sha256: string;
  readonly lfs: boolean;
}

export interface HubCommit {
  readonly id: string;
  readonly date: string;
  readonly files: ReadonlyMap<string, HubFile>;
}

/** Who may read a repository: everybody; those whom the publisher let in; those who have the token. */
export type HubAccess = 'public' | 'gated' | 'private';

/** A model repository, also from its publisher's side: each change is a commit to which a name moves. */
export interface HubRepository {
  readonly id: string;
  readonly access: HubAccess;
  readonly tags: ReadonlyMap<string, string>;
  readonly branches: ReadonlyMap<string, string>;
  commit(name: string): HubCommit | undefined;
  /** A large file of any commit, by its SHA-256. */
  object(sha256: string): HubFile | undefined;
  put(name: string, path: string, content: Uint8Array | string, kind?: 'tag' | 'branch'): Promise<void>;
  remove(name: string, path: string): Promise<void>;
}

function gitObject(content: Uint8Array): string {
  return createHash('sha1').update(`blob ${content.length}\0`).update(content).digest('hex');
}

function fileOf(path: string, bytes: Uint8Array | string): HubFile {
  const content = Buffer.from(bytes);
  const sha256 = createHash('sha256').update(content).digest('hex');
  const lfs = path.endsWith('.bin');
  const pointer = `version https://git-lfs.github.com/spec/v1\noid sha256:${sha256}\nsize ${content.length}\n`;
  return { content, sha256, lfs, oid: gitObject(lfs ? Buffer.from(pointer) : content) };
}

/** An empty repository. */
export function hubRepository(id: string, access: HubAccess): HubRepository {
  const commits = new Map<string, HubCommit>();
  const refs = { tag: new Map<string, string>(), branch: new Map<string, string>() };
  const objects = new Map<string, HubFile>();
  const find = (name: string) => commits.get(refs.tag.get(name) ?? refs.branch.get(name) ?? name);
  const add = (files: ReadonlyMap<string, HubFile>): string => {
    const names = [...files].map(([path, { oid }]) => `${path} ${oid}`).join('\n');
    const commit = createHash('sha1').update(`${commits.size}\n${names}`).digest('hex');
    commits.set(commit, {
      id: commit,
      date: new Date(Date.now() - 1_800_000 + commits.size * 1000).toISOString(),
      files,
    });
    return commit;
  };
  return {
    ...{ id, access, tags: refs.tag, branches: refs.branch },
    commit: find,
    object: (sha256) => objects.get(sha256),
    async put(name, path, content, kind = 'tag') {
      const file = fileOf(path, content);
      if (file.lfs) objects.set(file.sha256, file);
      refs[kind].set(name, add(new Map(find(name)?.files).set(path, file)));
    },
    async remove(name, path) {
      const files = new Map(find(name)?.files);
      files.delete(path);
      refs[refs.tag.has(name) ? 'tag' : 'branch'].set(name, add(files));
    },
  };
}
