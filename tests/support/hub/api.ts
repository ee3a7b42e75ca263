import type { ServerResponse } from 'node:http';
import { answerJson, type Refusal, refuse } from './answers.ts';
import type { HubCommit, HubRepository } from './repositories.ts';

/** Entries a page of a listing. */
const pageSize = 2;

/** What the hub says of a revision that it has not. */
export const revisionNotFound: Refusal = {
  ...{ status: 404, code: 'RevisionNotFound' },
  message: 'Invalid rev id',
};

function treePage(response: ServerResponse, commit: HubCommit, url: URL): void {
  const start = Number(url.searchParams.get('cursor') ?? 0);
  const entries = [...commit.files].map(([path, { content, oid, sha256, lfs }]) => ({
    ...{ type: 'file', oid, size: content.length, path },
    ...(lfs && { lfs: { oid: sha256, size: content.length, pointerSize: 134 } }),
  }));
  const folders = new Set(
    entries.filter(({ path }) => path.includes('/')).map(({ path }) => path.slice(0, path.lastIndexOf('/'))),
  );
  const all = [...[...folders].map((path) => ({ type: 'directory', oid: '', size: 0, path })), ...entries];
  const next = new URL(url);
  next.searchParams.set('cursor', String(start + pageSize));
  const link = start + pageSize < all.length ? { link: `<${next}>; rel="next"` } : undefined;
  answerJson(response, all.slice(start, start + pageSize), link);
}

/** The list of models: of one owner, or whose id has a text in it. */
export function answerModels(response: ServerResponse, ids: Iterable<string>, url: URL): void {
  const owner = url.searchParams.get('author');
  const search = url.searchParams.get('search') ?? '';
  const found = [...ids].filter(
    (id) => (owner === null || id.startsWith(`${owner}/`)) && id.includes(search),
  );
  const models = found.map((id) => ({ id, modelId: id }));
  answerJson(response, models);
}

/** `refs`, `revision/<name>` or `tree/<name>` of a repository. */
export function answerApi(response: ServerResponse, repository: HubRepository, what: string, url: URL): void {
  const refs = (names: ReadonlyMap<string, string>, kind: string) =>
    [...names].map(([name, targetCommit]) => ({ name, ref: `refs/${kind}/${name}`, targetCommit }));
  const [kind, name = ''] = what.split('/');
  const commit = repository.commit(decodeURIComponent(name));
  if (kind === 'refs') {
    const { tags, branches } = repository;
    answerJson(response, { tags: refs(tags, 'tags'), branches: refs(branches, 'heads'), converts: [] });
  } else if (commit === undefined) refuse(response, revisionNotFound);
  else if (kind === 'tree') treePage(response, commit, url);
  else answerJson(response, { id: repository.id, sha: commit.id, lastModified: commit.date });
}
