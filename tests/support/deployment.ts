import { randomBytes } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { Agent, request } from 'undici';
import type { ClusterEndpoint, RegistryEndpoint } from '../../local/lib/endpoints.ts';
import { DeliveryError } from '../../src/errors.ts';
import type { ServiceConnection } from '../../src/host/host.ts';
import type { ClusterAccess } from '../../src/kube/api/access.ts';
import { createClient } from '../../src/kube/api/apiClient.ts';
import type { KubeClient } from '../../src/kube/api/client.ts';
import { createTransport, type Transport } from '../../src/kube/api/transport.ts';
import { readKubeconfig } from '../../src/kube/connection/kubeconfig.ts';
import { deployToAks } from '../../tasks/DeployToAks/run.ts';
import { type Recorded, recordingHost } from './host.ts';

/** A namespace of the test's own on the real cluster, and the ways into it. */
export interface TestNamespace {
  readonly name: string;
  readonly access: ClusterAccess;
  readonly client: KubeClient;
  readonly transport: Transport;
  remove(): Promise<void>;
}

/** Longest that a single request of a test may take. */
export function soon(): AbortSignal {
  return AbortSignal.timeout(60_000);
}

export async function testNamespace(cluster: ClusterEndpoint): Promise<TestNamespace> {
  const content = await readFile(cluster.kubeconfig, 'utf8');
  const access = await readKubeconfig({ content, folder: '/', secret: () => undefined });
  const transport = createTransport(access);
  const client = createClient(transport);
  const name = `test-${randomBytes(4).toString('hex')}`;
  await client.create({ apiVersion: 'v1', kind: 'Namespace', metadata: { name } }, soon());
  return {
    name,
    access,
    client,
    transport,
    async remove() {
      const call = { verb: 'delete', what: `Namespace '${name}'` };
      await transport.json({ call, method: 'DELETE', path: `/api/v1/namespaces/${name}`, signal: soon() });
      await client.close();
    },
  };
}

export function registryConnection(registry: RegistryEndpoint): ServiceConnection {
  const { url, username, password } = registry;
  return {
    id: 'registry',
    url,
    scheme: 'UsernamePassword',
    parameters: { registry: url, username, password },
    data: { registrytype: 'Others' },
  };
}

export interface Run {
  readonly said: Recorded;
  /** What the task failed with; undefined when it succeeded. */
  readonly error: DeliveryError | undefined;
  readonly seconds: number;
  readonly log: string;
}

export interface RunSettings {
  readonly inputs: Readonly<Record<string, string>>;
  readonly connections?: readonly ServiceConnection[];
  readonly variables?: Readonly<Record<string, string>>;
  readonly workingFolder?: string;
  readonly signal?: AbortSignal;
  readonly environment?: NodeJS.ProcessEnv;
}

/** Runs the task once; an error that is no DeliveryError is the test's failure. */
export async function runDeploy(settings: RunSettings): Promise<Run> {
  const { host, said } = recordingHost({ workingFolder: '/nonexistent', ...settings });
  const started = performance.now();
  let error: DeliveryError | undefined;
  try {
    await deployToAks(host);
  } catch (thrown) {
    if (!(thrown instanceof DeliveryError)) throw thrown;
    error = thrown;
  }
  const seconds = (performance.now() - started) / 1000;
  return { said, error, seconds, log: [...said.lines, ...said.warnings].join('\n') };
}

/** What users saw while something else went on. */
export interface Seen {
  readonly answers: ReadonlyMap<string, number>;
  readonly failures: readonly string[];
}

async function askOnce(url: string, dispatcher: Agent): Promise<string> {
  const response = await request(url, { dispatcher, signal: AbortSignal.timeout(5000) });
  const text = (await response.body.text()).trim();
  if (response.statusCode !== 200) throw new Error(`status ${response.statusCode}: ${text}`);
  return text;
}

/** Waits until users get this answer: the nodes' proxies follow a change within a second or two. */
export async function usersGet(url: string, answer: string): Promise<void> {
  const dispatcher = new Agent({ pipelining: 0 });
  try {
    for (let left = 200; (await askOnce(url, dispatcher)) !== answer; left -= 1) {
      if (left === 0) throw new Error(`${url} never answered '${answer}'`);
      await sleep(50);
    }
  } finally {
    await dispatcher.destroy();
  }
}

/** Asks `url` again and again, each time by a new connection, while `work` runs. */
export async function whileUsersAsk<T>(
  url: string,
  work: () => Promise<T>,
): Promise<{ result: T; seen: Seen }> {
  const dispatcher = new Agent({ pipelining: 0 });
  const answers = new Map<string, number>();
  const failures: string[] = [];
  let isOver = false;
  const ask = async (): Promise<void> => {
    while (!isOver) {
      try {
        const text = await askOnce(url, dispatcher);
        answers.set(text, (answers.get(text) ?? 0) + 1);
      } catch (error) {
        failures.push(String(error));
      }
      await sleep(10);
    }
  };
  const asking = Promise.all([ask(), ask()]);
  try {
    return { result: await work(), seen: { answers, failures } };
  } finally {
    isOver = true;
    await asking;
    await dispatcher.destroy();
  }
}
