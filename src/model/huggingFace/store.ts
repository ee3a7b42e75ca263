import { createHash } from 'node:crypto';
import { createHttpClient } from '../http/client.ts';
import { childrenOf, compareFolders, compareNames } from '../names.ts';
import { type ModelStore, type PinnedFile, type ReadOptions, type StoredFile, textPart } from '../store.ts';
import { hubAdvice } from './api.ts';
import type { HuggingFaceLocation } from './location.ts';
import { readAtCommit } from './read.ts';
import { filesOf, gitMark, type Repository, referencesOf, revisionOf, similarModels } from './repository.ts';

/** Begins the identity of a branch that is read as a pointer; its commit follows. */
const branchMark = 'branch:';

async function* revisionFiles(
  repository: Repository,
  version: string,
  signal: AbortSignal,
): AsyncGenerator<StoredFile> {
  const revision = await revisionOf(repository, version, signal);
  if (revision === undefined) return;
  for (const file of await filesOf(repository, revision, signal)) {
    yield { ...file, name: `${repository.id}/${version}/${file.name}` };
  }
}

/** A branch as a file that names its commit: what the policy `pointer` reads. */
async function* pointer(
  repository: Repository,
  name: string,
  signal: AbortSignal,
): AsyncGenerator<StoredFile> {
  const revision = await revisionOf(repository, name, signal);
  if (revision === undefined) return;
  const { commit, date } = revision;
  const etag = `${branchMark}${commit}`;
  yield { name: `${repository.id}/${name}`, size: commit.length, etag, lastModified: date };
}

async function* listFiles(
  repository: Repository,
  prefix: string,
  signal: AbortSignal,
): AsyncGenerator<StoredFile> {
  signal.throwIfAborted();
  const root = `${repository.id}/`;
  if (!root.startsWith(prefix) && !prefix.startsWith(root)) return;
  const rest = prefix.slice(root.length);
  const slash = rest.indexOf('/');
  if (slash < 0 && rest !== '') return yield* pointer(repository, rest, signal);
  if (slash > 0) {
    for await (const file of revisionFiles(repository, rest.slice(0, slash), signal)) {
      if (file.name.startsWith(prefix)) yield file;
    }
    return;
  }
  const { tags, branches } = await referencesOf(repository, signal);
  const versions = [...new Set([...tags, ...branches])].sort(compareFolders);
  for (const version of versions) yield* revisionFiles(repository, version, signal);
}

async function listChildren(repository: Repository, prefix: string, signal: AbortSignal): Promise<string[]> {
  signal.throwIfAborted();
  const root = `${repository.id}/`;
  if (prefix === root) {
    const { tags, branches } = await referencesOf(repository, signal);
    const versions = tags.length > 0 ? tags : branches;
    return [...versions.map((name) => `${name}/`), ...branches].sort(compareNames);
  }
  if (!prefix.startsWith(root)) {
    const ids = await similarModels(repository, prefix, repository.id, signal);
    return childrenOf(
      ids.map((id) => `${id}/`),
      prefix,
    );
  }
  const names: string[] = [];
  for await (const file of listFiles(repository, prefix, signal)) names.push(file.name);
  return childrenOf(names, prefix);
}

/** A file's path within its version. */
function pathOf({ id }: Repository, { name }: PinnedFile): string {
  const below = name.slice(id.length + 1);
  return below.slice(below.indexOf('/') + 1);
}

async function readFile(repository: Repository, file: PinnedFile, options: ReadOptions) {
  options.signal.throwIfAborted();
  if (file.etag.startsWith(branchMark)) return textPart(file.etag.slice(branchMark.length), options);
  return readAtCommit(repository, pathOf(repository, file), file, options);
}

/** The SHA-256 of a small file, of which the hub only knows the git object: it is read and compared with that. */
async function digestsOf(repository: Repository, file: PinnedFile, signal: AbortSignal) {
  if (!file.etag.startsWith(gitMark)) return {};
  const hash = createHash('sha256');
  for await (const piece of await readFile(repository, file, { signal })) hash.update(piece);
  return { sha256: hash.digest('hex') };
}

/**
 * A model of the Hugging Face Hub, or of a server that speaks its protocol: `<model>/<revision>/<path>`, revisions are
 * tags, branches and commits. Bytes are pinned by the commit, which no later push changes, and compared with the
 * SHA-256 or the git object that the hub tells. https://huggingface.co/docs/hub/api
 */
export function openHuggingFaceStore(location: HuggingFaceLocation): ModelStore {
  const { url, authorization, model } = location;
  const client = createHttpClient({
    home: url,
    advice: hubAdvice(location),
    ...(authorization !== undefined && { authorization }),
  });
  const repository: Repository = { server: location, client, id: model };
  return {
    source: { type: 'huggingFace', url: `${url}/${model}` },
    list: (prefix, signal) => listFiles(repository, prefix, signal),
    children: (prefix, signal) => listChildren(repository, prefix, signal),
    read: (file, options) => readFile(repository, file, options),
    digests: (file, signal) => digestsOf(repository, file, signal),
  };
}
