import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { stringify } from 'yaml';
import type { ClusterEndpoint, RegistryEndpoint } from '../../local/lib/endpoints.ts';
import type { KubeClient } from '../../src/kube/api/client.ts';
import type { KubeObject } from '../../src/kube/objects/objects.ts';
import { soon, testNamespace } from '../../tests/support/deployment.ts';
import type { Room } from '../room.ts';

/** A namespace of one contestant, and the manifests that it deploys there. */
export interface Target {
  readonly kubeconfig: string;
  readonly namespace: string;
  /** Has one file an object. */
  readonly folder: string;
  /** By digest. */
  readonly image: string;
  readonly registry: RegistryEndpoint;
  readonly client: KubeClient;
  /** The next release of the same objects, in the same files: another image, and every other object changed. */
  next(): Promise<Target>;
}

export interface Site {
  readonly cluster: ClusterEndpoint;
  readonly registry: RegistryEndpoint;
  /** Two of one application, by digest. */
  readonly images: readonly [string, string];
}

const pullSecret = 'registry';

function deployment(image: string): object {
  const labels = { app: 'web' };
  const probe = { httpGet: { path: '/healthz', port: 8080 }, periodSeconds: 1 };
  const container = { name: 'web', image, ports: [{ containerPort: 8080 }], readinessProbe: probe };
  const spec = { imagePullSecrets: [{ name: pullSecret }], containers: [container] };
  return {
    ...{ apiVersion: 'apps/v1', kind: 'Deployment', metadata: { name: 'web', labels } },
    spec: { replicas: 1, selector: { matchLabels: labels }, template: { metadata: { labels }, spec } },
  };
}

function service(release: number): object {
  const ports = [{ port: 80 + release, targetPort: 8080 }];
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name: 'web' },
    spec: { selector: { app: 'web' }, ports },
  };
}

function settings(at: number, release: number): object {
  const data = { 'settings.json': JSON.stringify({ at, release, text: 'x'.repeat(500) }) };
  return { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: `settings-${at}` }, data };
}

/** So many objects: a Deployment, its Service, and ConfigMaps. */
function objects(count: number, release: number, image: string): object[] {
  const more = Array.from({ length: Math.max(0, count - 2) }, (_, at) => settings(at, release));
  return [deployment(image), service(release), ...more].slice(0, count);
}

function registrySecret({
  host,
  username,
  password,
}: RegistryEndpoint): KubeObject & { readonly type: string } {
  const auth = Buffer.from(`${username}:${password}`).toString('base64');
  const content = JSON.stringify({ auths: { [host]: { auth } } });
  return {
    ...{ apiVersion: 'v1', kind: 'Secret', type: 'kubernetes.io/dockerconfigjson' },
    metadata: { name: pullSecret },
    ...{ data: { '.dockerconfigjson': Buffer.from(content).toString('base64') } },
  };
}

/** A new namespace that can pull, and manifests for it. */
export async function newTarget(room: Room, site: Site, count: number): Promise<Target> {
  const namespace = await testNamespace(site.cluster);
  const secret = registrySecret(site.registry);
  const metadata = { ...secret.metadata, namespace: namespace.name };
  await namespace.client.create({ ...secret, metadata }, soon());
  room.atEnd(() => namespace.client.close());
  const folder = join(room.folder, 'manifests', namespace.name);
  await mkdir(folder, { recursive: true });
  const { kubeconfig } = site.cluster;
  const { client, name } = namespace;
  const write = async (release: number): Promise<Target> => {
    const image = site.images[release % 2] ?? '';
    for (const [at, object] of objects(count, release, image).entries()) {
      await writeFile(join(folder, `${String(at).padStart(3, '0')}.yaml`), stringify(object));
    }
    const next = () => write(release + 1);
    return { kubeconfig, namespace: name, folder, image, registry: site.registry, client, next };
  };
  return write(0);
}
