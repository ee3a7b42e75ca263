import type { Credentials } from '../../oci/auth.ts';
import type { EngineAddress } from '../docker/address.ts';
import { createEngineCall, jsonLines } from '../docker/call.ts';
import { logLines } from './logLines.ts';

/** What the engine enters a registry with: a user, or a registry token that may pull. */
export type EngineLogin = Credentials | { readonly registryToken: string };

/** What is known of a container while it runs. */
export interface ContainerState {
  readonly running: boolean;
  readonly exitCode: number;
  /** Where its port may be reached, as `host:port`: published first, then in the engine's own network. */
  readonly addresses: readonly string[];
}

export interface ContainerRequest {
  /** Known before the container is, so that a cancelled run can remove it. */
  readonly name: string;
  readonly image: string;
  /** The port that the application listens on. */
  readonly port: number;
  /** What tells another run whose it is. */
  readonly labels: Readonly<Record<string, string>>;
}

/** A container of any run's test, as the engine lists it. */
export interface TrialContainer {
  readonly id: string;
  /** The image that it was made of. */
  readonly image: string;
  readonly labels: Readonly<Record<string, string>>;
}

/** The calls of the Docker Engine API that a trial run needs; engine 20.10 and newer. */
export interface TrialEngine {
  /** Throws ENGINE_UNREACHABLE. */
  ping(): Promise<void>;
  /** Whether the engine has this image. */
  has(image: string): Promise<boolean>;
  /** Pulls an image by digest; gives the engine's reason where it cannot. */
  pull(image: string, login: EngineLogin | undefined): Promise<string | undefined>;
  create(container: ContainerRequest): Promise<void>;
  start(id: string): Promise<void>;
  state(id: string, port: number): Promise<ContainerState>;
  /** The last lines of its output. */
  logs(id: string, lines: number): Promise<readonly string[]>;
  /** Containers of tests, also those of other runs and those that have ended. */
  list(): Promise<readonly TrialContainer[]>;
  removeContainer(id: string): Promise<void>;
  removeImage(image: string): Promise<void>;
}

const partLabel = 'dev.model-delivery.part';

interface Inspected {
  readonly State: { readonly Running: boolean; readonly ExitCode: number };
  readonly NetworkSettings: {
    readonly Ports?: Readonly<Record<string, readonly { readonly HostPort: string }[] | null>> | null;
    readonly Networks?: Readonly<Record<string, { readonly IPAddress?: string }>> | null;
  };
}

/** A remote engine publishes ports on its own machine. */
function publishedHost(address: EngineAddress): string {
  return /^(tcp|http):/.test(address.name) ? new URL(address.url).hostname : '127.0.0.1';
}

function addressesOf(inspected: Inspected, port: number, host: string): readonly string[] {
  const { Ports, Networks } = inspected.NetworkSettings;
  const published = (Ports?.[`${port}/tcp`] ?? []).map((one) => `${host}:${one.HostPort}`);
  // An agent that is a container itself reaches its siblings by their own addresses only.
  const own = Object.values(Networks ?? {}).flatMap(({ IPAddress }) =>
    IPAddress ? [`${IPAddress}:${port}`] : [],
  );
  return [...new Set([...published, ...own])];
}

function registryAuth(image: string, login: EngineLogin | undefined): Record<string, string> {
  if (login === undefined) return {};
  const serveraddress = image.split('/', 1)[0] ?? '';
  const fields =
    'registryToken' in login
      ? { registrytoken: login.registryToken }
      : { username: login.username, password: login.password };
  const text = Buffer.from(JSON.stringify({ ...fields, serveraddress })).toString('base64');
  return { 'x-registry-auth': text.replaceAll('+', '-').replaceAll('/', '_') };
}

/** The engine at this address. Source: https://docs.docker.com/reference/api/engine/ */
export function createTrialEngine(address: EngineAddress, signal: AbortSignal): TrialEngine {
  const call = createEngineCall(address, signal);
  const host = publishedHost(address);
  const json = async <T>(path: string): Promise<T> => (await (await call('GET', path)).body.json()) as T;

  return {
    async ping() {
      await (await call('GET', '/_ping')).body.dump();
    },
    async has(image) {
      const response = await call('GET', `/images/${encodeURIComponent(image)}/json`, { expect: 404 });
      await response.body.dump();
      return response.statusCode !== 404;
    },
    async pull(image, login) {
      const [name = '', digest = ''] = image.split('@');
      const query = new URLSearchParams({ fromImage: name, tag: digest }).toString();
      const headers = registryAuth(image, login);
      const response = await call('POST', `/images/create?${query}`, { headers });
      for await (const message of jsonLines<{ readonly error?: string }>(response.body)) {
        if (message.error !== undefined) return message.error;
      }
      return undefined;
    },
    async create({ name, image, port, labels }) {
      const exposed = `${port}/tcp`;
      const body = JSON.stringify({
        Image: image,
        ExposedPorts: { [exposed]: {} },
        Labels: { ...labels, [partLabel]: 'test' },
        HostConfig: {
          PortBindings: { [exposed]: [{ HostIp: host === '127.0.0.1' ? host : '', HostPort: '' }] },
        },
      });
      const headers = { 'content-type': 'application/json' };
      await (await call('POST', `/containers/create?name=${name}`, { headers, body })).body.dump();
    },
    async start(id) {
      await (await call('POST', `/containers/${id}/start`)).body.dump();
    },
    async state(id, port) {
      const inspected = await json<Inspected>(`/containers/${id}/json`);
      const { Running, ExitCode } = inspected.State;
      return { running: Running, exitCode: ExitCode, addresses: addressesOf(inspected, port, host) };
    },
    async logs(id, lines) {
      const query = new URLSearchParams({ stdout: '1', stderr: '1', tail: String(lines) }).toString();
      const response = await call('GET', `/containers/${id}/logs?${query}`);
      return logLines(Buffer.from(await response.body.arrayBuffer()));
    },
    async list() {
      const filters = JSON.stringify({ label: [`${partLabel}=test`] });
      const query = new URLSearchParams({ all: '1', filters }).toString();
      type Listed = { readonly Id: string; readonly Image: string; readonly Labels: Record<string, string> };
      const listed = await json<readonly Listed[]>(`/containers/json?${query}`);
      return listed.map(({ Id, Image, Labels }) => ({ id: Id, image: Image, labels: Labels }));
    },
    async removeContainer(id) {
      await (await call('DELETE', `/containers/${id}?force=1&v=1`, { expect: 404 })).body.dump();
    },
    async removeImage(image) {
      await (await call('DELETE', `/images/${encodeURIComponent(image)}`, { expect: 404 })).body.dump();
    },
  };
}
