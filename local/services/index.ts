import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { formatSeconds } from '../../src/report/format.ts';
import { canBuildCluster, startCluster, stopCluster } from '../cluster/cluster.ts';
import { ensureNetwork } from '../cluster/network.ts';
import { clusterPackages } from '../cluster/packages.ts';
import type { LocalContext } from '../lib/context.ts';
import type { ClusterEndpoint, RegistryEndpoint } from '../lib/endpoints.ts';
import { withLock } from '../toolchain/lock.ts';
import { mlflowTool } from '../toolchain/mlflow.ts';
import { registryBinary } from '../toolchain/registry.ts';
import { versitygwBinary } from '../toolchain/versitygw.ts';
import { startBuildkit, stopBuildkit } from './buildkit.ts';
import { startDocker, stopDocker } from './docker.ts';
import { startMlflow, stopMlflow } from './mlflow.ts';
import { ensureSystemPackages } from './packages.ts';
import { type LocalServices, type ServicePart, serviceAddress, serviceLine, serviceParts } from './parts.ts';
import { startRegistry, stopRegistry } from './registry.ts';
import { startS3, stopS3 } from './s3.ts';
import { readEndpoints, removeEndpoints, serviceFolder, writeEndpoints } from './state.ts';
import { startStorage, stopStorage } from './storage.ts';

export { type LocalServices, type ServicePart, serviceParts } from './parts.ts';
export { type ServiceStatus, servicesStatus } from './status.ts';

/** How {@link startServices} starts. */
export interface StartOptions {
  /**
   * The registry listens where a cluster of this context reaches it, also when no cluster is asked for. A cluster that
   * starts later then finds it so: else it would move to that address, away from those who use it.
   */
  readonly registryForCluster?: boolean;
}

/** Says what was started, where it answers, and how long it took. */
async function timed<P extends ServicePart, T extends NonNullable<LocalServices[P]>>(
  context: LocalContext,
  part: P,
  start: () => Promise<T>,
): Promise<T> {
  const started = performance.now();
  const endpoint = await start();
  const seconds = formatSeconds((performance.now() - started) / 1000);
  context.say(serviceLine('✔', part, serviceAddress({ [part]: endpoint }, part) ?? '', seconds));
  return endpoint;
}

/** The cluster's own network, where one is built: pods and this machine reach the registry there under one name. */
async function clusterAddress(context: LocalContext): Promise<string | undefined> {
  if (!canBuildCluster() || process.env['MODEL_DELIVERY_KUBECONFIG']) return undefined;
  await ensureSystemPackages(context, clusterPackages);
  return (await ensureNetwork(context)).hostAddress;
}

async function startPrivateRegistry(context: LocalContext, forCluster: boolean): Promise<RegistryEndpoint> {
  const address = forCluster ? await clusterAddress(context) : undefined;
  const binary = await registryBinary(context);
  return startRegistry(context, address === undefined ? { binary } : { binary, address });
}

async function startClusterWith(
  context: LocalContext,
  registry: Promise<RegistryEndpoint>,
): Promise<ClusterEndpoint> {
  const { host } = await registry;
  return timed(context, 'cluster', () => startCluster(context, { insecureRegistries: [host] }));
}

async function startEach(
  context: LocalContext,
  wanted: ReadonlySet<ServicePart>,
  { registryForCluster = false }: StartOptions,
): Promise<LocalServices> {
  const hasCluster = wanted.has('cluster');
  const storage = wanted.has('storage') ? timed(context, 'storage', () => startStorage(context)) : undefined;
  const s3 = wanted.has('s3')
    ? timed(context, 's3', async () => startS3(context, await versitygwBinary(context)))
    : undefined;
  const mlflow = wanted.has('mlflow')
    ? timed(context, 'mlflow', async () => startMlflow(context, await mlflowTool(context)))
    : undefined;
  const docker = wanted.has('docker') ? timed(context, 'docker', () => startDocker(context)) : undefined;
  const registry =
    hasCluster || wanted.has('buildkit') || wanted.has('registry')
      ? timed(context, 'registry', () => startPrivateRegistry(context, hasCluster || registryForCluster))
      : undefined;
  const cluster = hasCluster && registry ? startClusterWith(context, registry) : undefined;
  const buildkit =
    wanted.has('buildkit') && registry
      ? timed(context, 'buildkit', async () => startBuildkit(context, await registry))
      : undefined;
  // Settled first, not raced: after a failure no start goes on behind the caller's back.
  await Promise.allSettled([storage, s3, mlflow, docker, registry, cluster, buildkit]);
  const started = {
    storage: await storage,
    s3: await s3,
    mlflow: await mlflow,
    docker: await docker,
    buildkit: await buildkit,
    registry: await registry,
    cluster: await cluster,
  };
  return Object.fromEntries(Object.entries(started).filter(([, endpoint]) => endpoint !== undefined));
}

/**
 * Starts the named services, or leaves those that run, and gives their endpoints; a cluster comes with the registry
 * that it pulls from. They are kept in `<stateFolder>/services.json` too, which only its owner may read: it holds
 * keys.
 */
export async function startServices(
  context: LocalContext,
  parts: readonly ServicePart[],
  options: StartOptions = {},
): Promise<LocalServices> {
  await mkdir(context.logFolder, { recursive: true });
  const waiting = (): void => context.say('Waiting for another run that starts services here …');
  return withLock(join(context.stateFolder, 'services.lock'), waiting, async () => {
    const services = await startEach(context, new Set(parts), options);
    await writeEndpoints(context, { ...(await readEndpoints(context)), ...services });
    return services;
  });
}

/** Ends every service of this context and removes its data; logs stay. Works after any of them was killed. */
export async function stopServices(context: LocalContext): Promise<void> {
  // The registry listens in the cluster's network, so it ends before that goes.
  await Promise.all([
    ...[stopStorage(context), stopS3(context), stopRegistry(context), stopDocker(context)],
    ...[stopBuildkit(context), stopMlflow(context)],
  ]);
  await stopCluster(context);
  await removeEndpoints(context);
  const remains = [
    ...serviceParts.map((part) => serviceFolder(context, part)),
    // What was made for these services: it names addresses and keys that are gone now.
    ...['connections.json', 'published'].map((name) => join(context.stateFolder, name)),
  ];
  await Promise.all(remains.map((path) => rm(path, { recursive: true, force: true })));
}
