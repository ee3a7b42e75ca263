import { createHmac, randomBytes } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { answerBytes, type Refusal, refuse } from './answers.ts';
import { answerApi, answerModels, revisionNotFound } from './api.ts';
import { type HubAccess, type HubRepository, hubRepository } from './repositories.ts';

/**
 * A double of the Hugging Face Hub, which is a site of the public network: its API of models, and a second origin that
 * gives large files by signed addresses and refuses whoever brings a token there. https://huggingface.co/docs/hub/api
 */
export interface Hub {
  readonly url: string;
  /** The origin that large files come from. */
  readonly storage: string;
  readonly token: string;
  model(id: string, access?: HubAccess): HubRepository;
  /** Large files come from here from now on. */
  redirectTo(storage: string): void;
  /** The next requests are too many. */
  throttle(requests: number): void;
  close(): Promise<void>;
}

interface State {
  readonly token: string;
  readonly key: Buffer;
  readonly repositories: Map<string, HubRepository>;
  storage: string;
  throttled: number;
}

type Answer = (request: IncomingMessage, response: ServerResponse, url: URL) => void;

async function listen(answer: Answer): Promise<{ readonly server: Server; readonly url: string }> {
  const server = createServer((request, response) => {
    answer(request, response, new URL(request.url ?? '/', `http://${request.headers.host}`));
  });
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
  return { server, url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` };
}

function signature({ key }: State, oid: string, expires: string): string {
  return createHmac('sha256', key).update(`${oid} ${expires}`).digest('hex');
}

/** The storage of large files, which knows signatures alone. */
function answerStorage(state: State): Answer {
  return (request, response, url) => {
    const oid = url.pathname.slice(1);
    const expires = url.searchParams.get('expires') ?? '';
    const file = [...state.repositories.values()]
      .map((repository) => repository.object(oid))
      .find((found) => found !== undefined);
    if (request.headers.authorization !== undefined) {
      refuse(response, { status: 400, message: 'Only one auth mechanism allowed' });
    } else if (url.searchParams.get('signature') !== signature(state, oid, expires) || file === undefined) {
      refuse(response, { status: 403, message: 'SignatureDoesNotMatch' });
    } else {
      answerBytes(request, response, file.content, { etag: `"${oid.slice(0, 32)}"` });
    }
  };
}

/** Why a request may not see a repository; undefined when it may. */
function hidden(
  state: State,
  { headers }: IncomingMessage,
  repository: HubRepository | undefined,
): Refusal | undefined {
  const known = headers.authorization === `Bearer ${state.token}`;
  if (headers.authorization !== undefined && !known) {
    return { status: 401, message: 'Invalid credentials in Authorization header' };
  }
  if (repository !== undefined && (repository.access !== 'private' || known)) return undefined;
  return { status: known ? 404 : 401, code: 'RepoNotFound', message: 'Repository not found' };
}

type Asked = readonly [revision: string, path: string];

/** Why a file cannot be had; undefined when it can. */
function withheld(repository: HubRepository, [revision, path]: Asked): Refusal | undefined {
  if (repository.access === 'gated') {
    const message = `Access to model ${repository.id} is restricted and you are not in the authorized list.`;
    return { status: 403, code: 'GatedRepo', message };
  }
  const commit = repository.commit(revision);
  if (commit === undefined) return revisionNotFound;
  const missing = { status: 404, code: 'EntryNotFound', message: 'Entry not found' };
  return commit.files.has(path) ? undefined : missing;
}

function answerFile(
  state: State,
  repository: HubRepository,
  [revision, path]: Asked,
  request: IncomingMessage,
  response: ServerResponse,
): void {
  const commit = repository.commit(revision);
  const file = commit?.files.get(path);
  if (commit === undefined || file === undefined) throw new Error('withheld before');
  const headers = { 'x-repo-commit': commit.id };
  if (!file.lfs) {
    answerBytes(request, response, file.content, { ...headers, etag: `"${file.oid}"` });
    return;
  }
  const expires = '2099-01-01';
  const query = new URLSearchParams({ expires, signature: signature(state, file.sha256, expires) });
  const linked = { 'x-linked-etag': `"${file.sha256}"`, 'x-linked-size': String(file.content.length) };
  const location = `${state.storage}/${file.sha256}?${query}`;
  response.writeHead(302, { ...headers, ...linked, location, 'content-length': 0 }).end();
}

/** What of a repository is asked for: its API, or a file. */
function answerRepository(state: State, request: IncomingMessage, response: ServerResponse, url: URL): void {
  const api = /^\/api\/models\/(.+?)\/((?:refs|revision|tree)(?:\/.*)?)$/.exec(url.pathname);
  const file = /^\/(.+?)\/resolve\/([^/]+)\/(.+)$/.exec(url.pathname);
  const repository = state.repositories.get(api?.[1] ?? file?.[1] ?? '');
  const asked: Asked = [decodeURIComponent(file?.[2] ?? ''), decodeURIComponent(file?.[3] ?? '')];
  const refusal = hidden(state, request, repository);
  const kept = repository !== undefined && api === null ? withheld(repository, asked) : undefined;
  if (refusal !== undefined) refuse(response, refusal);
  else if (kept !== undefined) refuse(response, kept);
  else if (repository === undefined) throw new Error('hidden before');
  else if (api !== null) answerApi(response, repository, api[2] ?? '', url);
  else answerFile(state, repository, asked, request, response);
}

function answerHub(state: State): Answer {
  return (request, response, url) => {
    state.throttled -= 1;
    const tooMany = { status: 429, message: 'Too many requests', headers: { 'retry-after': '0' } };
    if (state.throttled >= 0) refuse(response, tooMany);
    else if (url.pathname === '/api/models') answerModels(response, state.repositories.keys(), url);
    else answerRepository(state, request, response, url);
  };
}

async function stop(server: Server): Promise<void> {
  server.closeAllConnections();
  await new Promise((ended) => server.close(ended));
}

/** Starts the double, without any model. */
export async function startHub(): Promise<Hub> {
  const repositories = new Map<string, HubRepository>();
  const token = `hf_${randomBytes(18).toString('hex')}`;
  const state: State = { token, key: randomBytes(32), repositories, storage: '', throttled: 0 };
  const storage = await listen(answerStorage(state));
  const hub = await listen(answerHub(state));
  state.storage = storage.url;
  return {
    ...{ url: hub.url, storage: storage.url, token },
    model(id, access = 'public') {
      const repository = hubRepository(id, access);
      repositories.set(id, repository);
      return repository;
    },
    redirectTo(url) {
      state.storage = url;
    },
    throttle(requests) {
      state.throttled = requests;
    },
    close: async () => void (await Promise.all([hub, storage].map(({ server }) => stop(server)))),
  };
}
