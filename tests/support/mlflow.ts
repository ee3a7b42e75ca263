import { randomBytes } from 'node:crypto';
import type { MlflowEndpoint } from '../../local/lib/endpoints.ts';
import type { ServiceConnection } from '../../src/host/host.ts';

/** A registered model, from its publisher's side. */
export interface MlflowModel {
  readonly name: string;
  /** Logs a file as one of this release's, a version of the model that the tag `release` names. */
  put(release: string, path: string, content: Uint8Array | string): Promise<void>;
  remove(release: string, path: string): Promise<void>;
  /** Lets an alias name a release. */
  alias(name: string, release: string): Promise<void>;
  /** Registers a version whose files are at an address that is not the server's. */
  register(source: string): Promise<void>;
}

/** Calls the server as its administrator. */
async function call(server: MlflowEndpoint, method: string, path: string, body?: unknown): Promise<unknown> {
  const pair = Buffer.from(`${server.username}:${server.password}`).toString('base64');
  const raw = body instanceof Uint8Array;
  const response = await fetch(`${server.url}/api/2.0/${path}`, {
    method,
    headers: { authorization: `Basic ${pair}`, ...(!raw && { 'content-type': 'application/json' }) },
    ...(body !== undefined && { body: raw ? Buffer.from(body) : JSON.stringify(body) }),
  });
  const text = await response.text();
  if (!response.ok) throw new Error(`MLflow: ${response.status} ${text}`);
  return JSON.parse(text === '' ? '{}' : text);
}

function encoded(path: string): string {
  return path.split('/').map(encodeURIComponent).join('/');
}

/** A service connection to the server, with another password if one is given. */
export function mlflowConnection(server: MlflowEndpoint, password = server.password): ServiceConnection {
  const parameters = { username: server.username, password };
  return { id: 'mlflow', url: server.url, scheme: 'UsernamePassword', parameters, data: {} };
}

/** A new registered model; its files are logged by one run. */
export async function newMlflowModel(
  server: MlflowEndpoint,
  name = `m${randomBytes(6).toString('hex')}`,
): Promise<MlflowModel> {
  await call(server, 'DELETE', 'mlflow/registered-models/delete', { name }).catch(() => undefined);
  await call(server, 'POST', 'mlflow/registered-models/create', { name });
  const created = await call(server, 'POST', 'mlflow/runs/create', { experiment_id: '0' });
  const { run } = created as { readonly run: { readonly info: Readonly<Record<string, string>> } };
  const { run_id, artifact_uri = '' } = run.info;
  const root = artifact_uri.replace('mlflow-artifacts:/', '');
  const numbers = new Map<string, string>();
  const version = async (source: string, tags: readonly object[]): Promise<string> => {
    const answer = await call(server, 'POST', 'mlflow/model-versions/create', { name, source, run_id, tags });
    return (answer as { readonly model_version: { readonly version: string } }).model_version.version;
  };
  const artifact = (release: string, path: string) =>
    `mlflow-artifacts/artifacts/${root}/${encoded(`${release}/${path}`)}`;
  return {
    name,
    async put(release, path, content) {
      await call(server, 'PUT', artifact(release, path), Buffer.from(content));
      if (numbers.has(release)) return;
      const tags = [{ key: 'release', value: release }];
      numbers.set(release, await version(`${artifact_uri}/${release}`, tags));
    },
    remove: async (release, path) => void (await call(server, 'DELETE', artifact(release, path))),
    alias: async (alias, release) =>
      void (await call(server, 'POST', 'mlflow/registered-models/alias', {
        ...{ name, alias },
        version: numbers.get(release),
      })),
    register: async (source) => void (await version(source, [])),
  };
}
