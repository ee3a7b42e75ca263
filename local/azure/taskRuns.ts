import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { DeliveryError } from '../../src/errors.ts';
import { engineAddress } from '../../src/image/docker/address.ts';
import { createEngineCall, jsonLines } from '../../src/image/docker/call.ts';
import { createEngineClient } from '../../src/image/docker/client.ts';
import type { StorageEndpoint } from '../lib/endpoints.ts';
import type { LocalAcr } from './acr.ts';
import type { BuildOrder } from './taskRequest.ts';
import { openTaskStorage, type TaskLog, type TaskStorage } from './taskStorage.ts';

/** What a registry's Tasks run with, some of it to be changed while they run. */
export interface TasksSettings {
  /** The registry that is pushed to. */
  readonly acr: LocalAcr;
  /** Where contexts and logs lie. */
  readonly storage: StorageEndpoint;
  /** Socket of the Docker engine that really builds. */
  readonly docker: string;
  /** Object ids with the role Container Registry Tasks Contributor. */
  contributors: readonly string[];
  /** False as in a subscription with free credit. */
  allowed: boolean;
  /** False as in a registry whose network rules keep its own Tasks out. */
  admitted: boolean;
  /** Names of the registry's agent pools. */
  pools: readonly string[];
  /** How long one second of a time limit lasts, in milliseconds. */
  secondMs: number;
  /** Whether a run says which image it has pushed; else its log alone does. */
  namesImage: boolean;
  /** Life of the addresses that are given for contexts, in milliseconds. */
  signedForMs: number;
}

export interface Run {
  readonly id: string;
  readonly created: string;
  status: string;
  readonly log: TaskLog;
  readonly ending: AbortController;
  done: Promise<void>;
  image?: { readonly repository: string; readonly tag: string; readonly digest: string };
}

class Ended extends Error {}

/** Removes what a run has left in the engine: the machines of the real service are thrown away. */
async function removeImage(settings: TasksSettings, name: string): Promise<void> {
  const address = engineAddress({ DOCKER_HOST: settings.docker }, process.platform);
  const engine = createEngineClient(address, AbortSignal.timeout(30_000));
  await engine.remove(name).catch(() => undefined);
}

async function push(settings: TasksSettings, run: Run, name: string, password: string): Promise<void> {
  const address = engineAddress({ DOCKER_HOST: settings.docker }, process.platform);
  const call = createEngineCall(address, run.ending.signal);
  const auth = { username: '00000000-0000-0000-0000-000000000000', password };
  // Base64 for URLs, with the padding that the engine insists on.
  const text = Buffer.from(JSON.stringify(auth)).toString('base64');
  const header = text.replaceAll('+', '-').replaceAll('/', '_');
  const [, image = '', tag = ''] = /^(.+):([^:/]+)$/.exec(name) ?? [];
  const response = await call('POST', `/images/${image}/push?tag=${tag}`, {
    headers: { 'x-registry-auth': header },
  });
  for await (const message of jsonLines<{ status?: string; id?: string; error?: string }>(
    response.body as AsyncIterable<Uint8Array>,
  )) {
    if (message.error !== undefined) throw new Error(message.error);
    if (message.status === undefined || message.id !== undefined) continue;
    run.log.write(message.status);
    const digest = /digest: (sha256:[0-9a-f]{64})/.exec(message.status)?.[1];
    if (digest !== undefined) run.image = { repository: image.replace(/^[^/]+\//, ''), tag, digest };
  }
}

async function build(settings: TasksSettings, order: BuildOrder, run: Run, context: Buffer): Promise<string> {
  const name = `${new URL(settings.acr.url).host}/${order.image}`;
  const address = engineAddress({ DOCKER_HOST: settings.docker }, process.platform);
  await createEngineClient(address, run.ending.signal).build({
    ...{ name, dockerfile: order.dockerfile, dockerfileText: '', buildArguments: order.buildArguments },
    ...(order.target === undefined ? {} : { target: order.target }),
    ...{ platform: order.platform, credentials: order.credentials },
    async *context() {
      yield context;
    },
    onLine: (line) => {
      const hidden = order.secrets.filter((value) => value !== '');
      run.log.write(hidden.reduce((text, value) => text.replaceAll(value, '***'), line));
    },
  });
  return name;
}

function reasonOf(error: unknown): string {
  const inner = error instanceof DeliveryError ? error.cause : error;
  return inner instanceof Error ? inner.message : String(inner);
}

async function work(
  settings: TasksSettings,
  order: BuildOrder,
  run: Run,
  context: Buffer,
  password: string,
): Promise<void> {
  const { host } = new URL(settings.acr.url);
  run.status = 'Running';
  run.log.write(`2026/11/23 00:00:00 Logging in to registry: ${host}`);
  if (!settings.admitted) {
    const why = `failed to set docker credentials: Error response from daemon: Get "https://${host}/v2/": denied: client with IP '20.0.0.4' is not allowed access. Refer https://aka.ms/acr/firewall to grant access.`;
    throw new Error(`failed to login, ran out of retries: ${why}`);
  }
  const name = await build(settings, order, run, context);
  try {
    await push(settings, run, name, password);
  } finally {
    await removeImage(settings, name);
  }
}

/** Carries a run through its states; never throws. */
async function carry(run: Run, limitMs: number, begin: () => Promise<void>): Promise<void> {
  const limit = setTimeout(() => run.ending.abort(new Ended('Timeout')), limitMs);
  try {
    await sleep(50, undefined, { signal: run.ending.signal });
    run.status = 'Started';
    await begin();
    run.status = 'Succeeded';
  } catch (error) {
    const { reason } = run.ending.signal;
    if (reason instanceof Ended) run.status = reason.message;
    else {
      run.status = 'Failed';
      run.log.write(reasonOf(error));
      run.log.write('2026/11/23 00:00:01 Container failed during run: build. No retries remaining.');
    }
  } finally {
    clearTimeout(limit);
    await run.log.end(run.status === 'Succeeded' ? 'successful' : run.status.toLowerCase());
  }
}

/** The runs of one registry. */
export interface TaskRuns {
  readonly storage: TaskStorage;
  /** All so far, by their ids. */
  readonly all: ReadonlyMap<string, Run>;
  start(order: BuildOrder, context: Buffer, password: string): Run;
  cancel(run: Run): Promise<void>;
  close(): Promise<void>;
}

/** Runs builds for real, on the Docker engine. */
export function createTaskRuns(settings: TasksSettings): TaskRuns {
  const storage = openTaskStorage(settings.storage, () => settings.signedForMs);
  const all = new Map<string, Run>();
  const cancel = async (run: Run): Promise<void> => {
    run.ending.abort(new Ended('Canceled'));
    await run.done;
  };
  return {
    storage,
    all,
    start(order, context, password) {
      const id = `c${randomBytes(3).toString('hex')}`;
      const run: Run = {
        ...{ id, created: new Date().toISOString(), status: 'Queued', log: storage.log(id) },
        ...{ ending: new AbortController(), done: Promise.resolve() },
      };
      all.set(id, run);
      const limitMs = order.timeoutSeconds * settings.secondMs;
      run.done = carry(run, limitMs, () => work(settings, order, run, context, password));
      return run;
    },
    cancel,
    async close() {
      await Promise.all([...all.values()].map(cancel));
    },
  };
}
