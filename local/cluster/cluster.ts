import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { LocalContext } from '../lib/context.ts';
import type { ClusterEndpoint } from '../lib/endpoints.ts';
import { withLock } from '../toolchain/lock.ts';
import { clusterBinaries } from './binaries.ts';
import { existingCluster, startWithTool, stopWithTool } from './elsewhere.ts';
import { clusterLayout, kubeconfigFile } from './layout.ts';
import { ensureNetwork, removeNetwork } from './network.ts';
import { startNode, stopNode } from './node.ts';
import { nodeSettings, writeNodeState, writeRegistries } from './nodeState.ts';

/** What a cluster is started with. */
export interface ClusterOptions {
  /** `host:port` of each registry that speaks plain HTTP. */
  readonly insecureRegistries: readonly string[];
}

/** True where local/cluster can build a node of its own: namespaces and mounts ask for root on Linux. */
export function canBuildCluster(): boolean {
  return process.platform === 'linux' && process.getuid?.() === 0;
}

function exclusively<T>(context: LocalContext, work: () => Promise<T>): Promise<T> {
  const waiting = () => context.say('Waiting for another command that starts or stops this cluster');
  return withLock(join(context.stateFolder, 'cluster.lock'), waiting, work);
}

async function startBuilt(context: LocalContext, options: ClusterOptions): Promise<ClusterEndpoint> {
  const [network, binaries] = await Promise.all([ensureNetwork(context), clusterBinaries(context)]);
  const settings = await nodeSettings(context, network, binaries);
  const isChanged = await writeNodeState(context, settings);
  await writeRegistries(settings.layout.folder, options.insecureRegistries);
  if (isChanged) await stopNode(context);
  await startNode(context, settings);
  return { kubeconfig: kubeconfigFile(context), kind: 'built' };
}

/**
 * A Kubernetes that runs pods and gives Services of type LoadBalancer an address which this machine reaches: the
 * cluster of the kubeconfig that MODEL_DELIVERY_KUBECONFIG names, else a node built here (root on Linux), else one by
 * k3d, kind or minikube. A running one is left as it is; what was killed of it is started again.
 */
export async function startCluster(context: LocalContext, options: ClusterOptions): Promise<ClusterEndpoint> {
  const named = process.env['MODEL_DELIVERY_KUBECONFIG'];
  if (named) return existingCluster(named);
  await mkdir(context.logFolder, { recursive: true });
  return exclusively(context, () =>
    canBuildCluster() ? startBuilt(context, options) : startWithTool(context, options.insecureRegistries),
  );
}

/**
 * Takes away all that {@link startCluster} has made: processes, mounts, network, control groups and state; logs stay.
 * A cluster that the user brought is left alone. Works whatever is left of the cluster.
 */
export async function stopCluster(context: LocalContext): Promise<void> {
  await exclusively(context, async () => {
    await stopWithTool(context);
    if (canBuildCluster()) {
      await stopNode(context);
      await removeNetwork(context);
    }
    await rm(clusterLayout(context).folder, { recursive: true, force: true });
    await rm(kubeconfigFile(context), { force: true });
  });
}
