import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, readdir, readFile, realpath, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { type ClusterApi, clusterApi } from '../../local/cluster/api.ts';
import { canBuildCluster, startCluster, stopCluster } from '../../local/cluster/cluster.ts';
import type { ClusterNetwork } from '../../local/cluster/clusterNetwork.ts';
import { type ImageBlob, type ImageParts, imageParts } from '../../local/cluster/imageArchive.ts';
import { clusterLayout } from '../../local/cluster/layout.ts';
import { ensureNetwork, removeNetwork } from '../../local/cluster/network.ts';
import { clusterPackages } from '../../local/cluster/packages.ts';
import { createContext, type LocalContext } from '../../local/lib/context.ts';
import { startDaemon, stopDaemon } from '../../local/lib/daemon.ts';
import { freePort } from '../../local/lib/ports.ts';
import { ensureSystemPackages } from '../../local/services/packages.ts';
import { registryBinary } from '../../local/toolchain/registry.ts';
import { clusterProcesses, killOfCluster } from '../support/clusterProcesses.ts';
import { registryConnection, runDeploy } from '../support/deployment.ts';

const execute = promisify(execFile);

async function output(command: string, ...args: readonly string[]): Promise<string> {
  return (await execute(command, args)).stdout;
}

async function newContext(): Promise<LocalContext> {
  const stateFolder = await realpath(await mkdtemp(join(tmpdir(), 'cluster-test-')));
  const logFolder = join(stateFolder, 'logs');
  await mkdir(logFolder);
  return { ...(await createContext(() => undefined)), stateFolder, logFolder };
}

/** Asks again until the answer is there; the test's own time-out ends a wait that is in vain. */
async function eventually<T>(ask: () => Promise<T | undefined>): Promise<T> {
  for (;;) {
    const answer = await ask().catch(() => undefined);
    if (answer !== undefined) return answer;
    await sleep(200);
  }
}

async function statusOf(url: string): Promise<number> {
  const answer = await fetch(url, { signal: AbortSignal.timeout(2_000) });
  await answer.body?.cancel();
  return answer.status;
}

function serving(url: string): Promise<true> {
  return eventually(async () => ((await statusOf(url)) === 200 ? true : undefined));
}

/** A registry without authentication is also the web application of the pods: it is a static program that serves. */
function registryConfiguration(address: string): string {
  return JSON.stringify({ version: 0.1, storage: { inmemory: {} }, http: { addr: address } });
}

async function startTestRegistry(context: LocalContext, address: string): Promise<string> {
  const host = `${address}:${await freePort(address)}`;
  const file = join(context.stateFolder, 'registry.json');
  await writeFile(file, registryConfiguration(host));
  await startDaemon(context, {
    name: 'test-registry',
    command: await registryBinary(context),
    args: ['serve', file],
    ready: async () => (await statusOf(`http://${host}/v2/`)) === 200,
  });
  return host;
}

async function pushBlob(repository: string, blob: ImageBlob): Promise<void> {
  const upload = await fetch(`${repository}/blobs/uploads/`, { method: 'POST' });
  const target = new URL(upload.headers.get('location') ?? '', repository);
  target.searchParams.set('digest', blob.digest);
  const answer = await fetch(target, { method: 'PUT', body: new Uint8Array(blob.bytes) });
  assert.equal(answer.status, 201);
}

async function pushImage(host: string, image: ImageParts): Promise<string> {
  const repository = `http://${host}/v2/web`;
  for (const blob of [image.config, image.layer]) await pushBlob(repository, blob);
  const answer = await fetch(`${repository}/manifests/${image.manifest.digest}`, {
    method: 'PUT',
    headers: { 'content-type': 'application/vnd.oci.image.manifest.v1+json' },
    body: new Uint8Array(image.manifest.bytes),
  });
  assert.equal(answer.status, 201);
  return `${host}/web@${image.manifest.digest}`;
}

function deployment(image: string) {
  const readinessProbe = { httpGet: { path: '/v2/', port: 8080 }, periodSeconds: 1 };
  const securityContext = { runAsUser: 65532, runAsNonRoot: true };
  const ports = [{ containerPort: 8080 }];
  const containers = [{ name: 'web', image, ports, readinessProbe, securityContext }];
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name: 'web' },
    spec: {
      replicas: 2,
      selector: { matchLabels: { app: 'web' } },
      template: { metadata: { labels: { app: 'web' } }, spec: { containers } },
    },
  };
}

const service = {
  apiVersion: 'v1',
  kind: 'Service',
  metadata: { name: 'web' },
  spec: { type: 'LoadBalancer', selector: { app: 'web' }, ports: [{ port: 80, targetPort: 8080 }] },
};

interface ClusterObject {
  readonly status?: {
    readonly readyReplicas?: number;
    readonly loadBalancer?: { readonly ingress?: readonly { readonly ip: string }[] };
  };
}

interface PodList {
  readonly items: readonly { readonly metadata: { readonly name: string } }[];
}

async function read(api: ClusterApi, path: string): Promise<ClusterObject> {
  return JSON.parse((await api(path)).body) as ClusterObject;
}

describe('the local cluster', function () {
  // The first run of a user builds Kubernetes.
  this.timeout(20 * 60_000);
  let context: LocalContext;
  let network: ClusterNetwork;
  let registry: string;
  let api: ClusterApi;
  let url: string;
  let image: string;
  let kubeconfig: string;
  let rulesBefore: string;

  const start = () => startCluster(context, { insecureRegistries: [registry] });
  const replicas = (count: number) =>
    eventually(async () => {
      const { status } = await read(api, '/apis/apps/v1/namespaces/default/deployments/web');
      return status?.readyReplicas === count ? true : undefined;
    });
  const address = () =>
    eventually(async () => {
      const { status } = await read(api, '/api/v1/namespaces/default/services/web');
      return status?.loadBalancer?.ingress?.[0]?.ip;
    });

  before(async () => {
    assert.ok(canBuildCluster(), 'this suite needs root on Linux');
    rulesBefore = await output('iptables-save');
    context = await newContext();
    await ensureSystemPackages(context, clusterPackages);
    network = await ensureNetwork(context);
    registry = await startTestRegistry(context, network.hostAddress);
    ({ kubeconfig } = await start());
    api = await clusterApi(kubeconfig);
  });

  after(async () => {
    await stopCluster(context);
    await stopDaemon(context, 'test-registry');
    await rm(context.stateFolder, { recursive: true, force: true });
  });

  it('runs two replicas of an image from a plain-HTTP registry behind a load balancer', async () => {
    const files = { '/config.json': registryConfiguration(':8080') };
    const program = await registryBinary(context);
    const parts = await imageParts({ reference: 'web', program, args: ['serve', '/config.json'], files });
    image = await pushImage(registry, parts);
    const created = [
      await api('/apis/apps/v1/namespaces/default/deployments', 'POST', deployment(image)),
      await api('/api/v1/namespaces/default/services', 'POST', service),
    ];
    assert.deepEqual(
      created.map(({ status }) => status),
      [201, 201],
    );
    await replicas(2);
    url = `http://${await address()}/v2/`;
    await serving(url);
  });

  it('gives the logs of a pod', async () => {
    const pods = JSON.parse((await api('/api/v1/namespaces/default/pods')).body) as PodList;
    const [pod] = pods.items;
    const { status, body } = await api(`/api/v1/namespaces/default/pods/${pod?.metadata.name}/log`);
    assert.equal(status, 200);
    assert.match(body, /listening on/);
  });

  it('leaves a running cluster as it is when it is started again', async () => {
    const before = await clusterProcesses(context);
    await start();
    assert.deepEqual(await clusterProcesses(context), before);
  });

  it('is deployed to while its API server is killed and comes back in the middle of a rollout', async () => {
    const inputs = {
      connectionType: 'kubeconfig',
      kubeconfig,
      namespace: 'default',
      appName: 'released',
      readinessPath: '/v2/',
      serviceType: 'ClusterIP',
      image,
      containerRegistry: 'registry',
      rolloutTimeout: '120',
    };
    const login = { url: `http://${registry}`, username: 'anyone', password: 'anything' };
    const run = runDeploy({ inputs, connections: [registryConnection({ ...login, host: registry })] });
    await eventually(async () => {
      const { status } = await api('/apis/apps/v1/namespaces/default/deployments/released');
      return status === 200 ? true : undefined;
    });
    await killOfCluster(context, 'kube-apiserver');
    await start();
    const { error, log } = await run;
    assert.equal(error, undefined, `${error?.message}\n${log}`);
    assert.match(log, /2 of 2 new pods ready/);
  });

  it('serves again after the API server, the kubelet and containerd were killed', async () => {
    await killOfCluster(context, 'kube-apiserver', 'kubelet', 'containerd.toml');
    await start();
    await replicas(2);
    await serving(url);
  });

  it('serves again after every process of it was killed', async () => {
    await killOfCluster(context, 'kubernetes', 'load-balancer', 'containerd-shim');
    await start();
    await serving(url);
    await replicas(2);
  });

  it('gives an address up with its Service', async () => {
    const released = new URL(url).hostname;
    assert.ok((await output('ip', 'route')).includes(`${released} via ${network.nodeAddress}`));
    await api('/api/v1/namespaces/default/services/web', 'DELETE');
    await eventually(async () => ((await output('ip', 'route')).includes(released) ? undefined : true));
  });

  it('replaces the processes whose records were deleted while they ran', async () => {
    const before = await clusterProcesses(context, 'kubernetes');
    for (const record of ['daemons/kubernetes.json', 'daemons/load-balancer.json', 'network.json']) {
      await rm(join(context.stateFolder, record));
    }
    await start();
    const after = await clusterProcesses(context, 'kubernetes');
    assert.equal(after.length, before.length);
    assert.deepEqual(
      after.filter((pid) => before.includes(pid)),
      [],
    );
  });

  it('gives another checkout a network of its own', async () => {
    const other = await newContext();
    const second = await ensureNetwork(other);
    assert.notEqual(second.hostAddress, network.hostAddress);
    assert.notEqual(second.loadBalancerRange, network.loadBalancerRange);
    await removeNetwork(other);
    await rm(other.stateFolder, { recursive: true });
  });

  it('leaves nothing behind when it is stopped', async () => {
    const { name, hostLink } = clusterLayout(context);
    await stopDaemon(context, 'test-registry');
    await stopCluster(context);
    assert.deepEqual(await clusterProcesses(context), []);
    assert.ok(!(await output('ip', 'netns')).includes(name));
    assert.ok(!(await output('ip', 'link')).includes(hostLink));
    assert.ok(!(await output('ip', 'route', 'show', 'table', 'all')).includes(network.hostAddress));
    const mounts = await readFile('/proc/mounts', 'utf8');
    assert.ok(!mounts.includes(name) && !mounts.includes(context.stateFolder));
    const rules = (await output('iptables-save')).split('\n').filter((rule) => !rulesBefore.includes(rule));
    assert.deepEqual(
      rules.filter((rule) => /KUBE-|CNI-|198\.18\./.test(rule)),
      [],
    );
    assert.equal(await output('find', '/sys/fs/cgroup', '-name', name), '');
    assert.deepEqual((await readdir(context.stateFolder)).sort(), ['daemons', 'logs', 'registry.json']);
  });
});
