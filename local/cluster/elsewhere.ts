import { access, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { DeliveryError } from '../../src/errors.ts';
import type { LocalContext } from '../lib/context.ts';
import type { ClusterEndpoint } from '../lib/endpoints.ts';
import { run } from './command.ts';
import { clusterLayout, kubeconfigFile } from './layout.ts';
import { writeRegistries } from './nodeState.ts';

/** A tool that starts Kubernetes in containers or in a virtual machine. */
interface ClusterTool {
  readonly kind: 'k3d' | 'kind' | 'minikube';
  /** What else Services of type LoadBalancer need with this tool. */
  readonly note: string;
  readonly start: (name: string, folder: string, registries: readonly string[]) => Promise<void>;
  readonly stop: (name: string) => Promise<unknown>;
}

function k3d(kubeconfig: string): ClusterTool {
  return {
    kind: 'k3d',
    note: '',
    start: async (name, folder, registries) => {
      const mirrors = Object.fromEntries(registries.map((it) => [it, { endpoint: [`http://${it}`] }]));
      const file = join(folder, 'registries.yaml');
      await writeFile(file, JSON.stringify({ mirrors }));
      const options = ['--registry-config', file, '--kubeconfig-update-default=false', '--wait'];
      const known = await run('k3d', ['cluster', 'list', name]).catch(() => undefined);
      if (known === undefined) await run('k3d', ['cluster', 'create', name, ...options]);
      await run('k3d', ['kubeconfig', 'write', name, '--output', kubeconfig]);
    },
    stop: (name) => run('k3d', ['cluster', 'delete', name]),
  };
}

function kind(kubeconfig: string): ClusterTool {
  return {
    kind: 'kind',
    note: 'Services of type LoadBalancer need cloud-provider-kind to run beside it.',
    start: async (name, folder, registries) => {
      await writeRegistries(folder, registries);
      const patch =
        '[plugins."io.containerd.grpc.v1.cri".registry]\n  config_path = "/etc/containerd/certs.d"\n';
      const mount = { hostPath: join(folder, 'registries'), containerPath: '/etc/containerd/certs.d' };
      const config = {
        kind: 'Cluster',
        apiVersion: 'kind.x-k8s.io/v1alpha4',
        nodes: [{ role: 'control-plane', extraMounts: [mount] }],
        containerdConfigPatches: [patch],
      };
      const known = (await run('kind', ['get', 'clusters'])).split('\n').includes(name);
      const input = JSON.stringify(config);
      if (!known) await run('kind', ['create', 'cluster', '--name', name, '--config', '-'], { input });
      await run('kind', ['export', 'kubeconfig', '--name', name, '--kubeconfig', kubeconfig]);
    },
    stop: (name) => run('kind', ['delete', 'cluster', '--name', name]),
  };
}

function minikube(kubeconfig: string): ClusterTool {
  const env = { ...process.env, KUBECONFIG: kubeconfig };
  return {
    kind: 'minikube',
    note: 'Services of type LoadBalancer need `minikube tunnel` to run beside it.',
    start: async (name, _folder, registries) => {
      const insecure = registries.map((it) => `--insecure-registry=${it}`);
      await run('minikube', ['start', '--profile', name, '--embed-certs', ...insecure], { env });
    },
    stop: (name) => run('minikube', ['delete', '--profile', name], { env }),
  };
}

const factories = [k3d, kind, minikube];

function recordFile(context: LocalContext): string {
  return join(context.stateFolder, 'cluster-tool');
}

async function isInstalled(tool: ClusterTool): Promise<boolean> {
  return run(tool.kind, ['version']).then(
    () => true,
    () => false,
  );
}

/** The cluster of a kubeconfig that the user has named. */
export async function existingCluster(kubeconfig: string): Promise<ClusterEndpoint> {
  const file = resolve(kubeconfig);
  await access(file).catch((cause: unknown) => {
    throw new DeliveryError({
      code: 'KUBECONFIG_NOT_FOUND',
      side: 'input',
      message: `MODEL_DELIVERY_KUBECONFIG names ${file}, which cannot be read.`,
      remedy: 'Let it name the kubeconfig of the cluster to use, or unset it.',
      cause,
    });
  });
  return { kubeconfig: file, kind: 'existing' };
}

/** Starts a cluster with k3d, kind or minikube, the first that is installed. Fails with `CLUSTER_UNAVAILABLE`. */
export async function startWithTool(
  context: LocalContext,
  registries: readonly string[],
): Promise<ClusterEndpoint> {
  const kubeconfig = kubeconfigFile(context);
  const { folder, name } = clusterLayout(context);
  for (const tool of factories.map((create) => create(kubeconfig))) {
    if (!(await isInstalled(tool))) continue;
    context.say(`Starting Kubernetes with ${tool.kind}. ${tool.note}`.trim());
    await mkdir(folder, { recursive: true });
    await writeFile(recordFile(context), tool.kind);
    await tool.start(name, folder, registries);
    return { kubeconfig, kind: tool.kind };
  }
  throw new DeliveryError({
    code: 'CLUSTER_UNAVAILABLE',
    side: 'cluster',
    message: 'There is no Kubernetes for the local services here.',
    remedy:
      'Run as root on Linux (it is built then), install k3d, kind or minikube, or let MODEL_DELIVERY_KUBECONFIG name the kubeconfig of a cluster.',
  });
}

/** Deletes the cluster that {@link startWithTool} has made, if it has. */
export async function stopWithTool(context: LocalContext): Promise<void> {
  const used = await readFile(recordFile(context), 'utf8').catch(() => undefined);
  const tool = factories.map((create) => create(kubeconfigFile(context))).find((it) => it.kind === used);
  await tool?.stop(clusterLayout(context).name);
  await rm(recordFile(context), { force: true });
}
