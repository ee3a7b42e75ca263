import { access, copyFile, mkdir, readFile, rm, statfs, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { LocalContext } from '../lib/context.ts';
import type { ClusterBinaries } from './binaries.ts';
import type { ClusterNetwork } from './clusterNetwork.ts';
import { run } from './command.ts';
import { entraFiles } from './entra.ts';
import { writeImageArchive } from './imageArchive.ts';
import { clusterLayout, kubeconfigFile, nodeName } from './layout.ts';
import { type NodeSettings, nodeFiles, pauseReference, registryHosts } from './nodeFiles.ts';
import { apiServiceAddress, nodeUnits } from './units.ts';

const overlayFileSystem = 0x794c7630;

/** Paths that Kubernetes and containerd write to whatever their settings say; the node has empty ones of its own. */
const hidden = ['/run', '/var/lib', '/var/log'];

/** The kubelet sets these for the whole machine unless it finds them so: it finds them so, inside the node. */
const kernelSettings = {
  '/proc/sys/vm/overcommit_memory': '1',
  '/proc/sys/vm/panic_on_oom': '0',
  '/proc/sys/kernel/panic': '10',
  '/proc/sys/kernel/panic_on_oops': '1',
  '/proc/sys/kernel/keys/root_maxkeys': '1000000',
  '/proc/sys/kernel/keys/root_maxbytes': '25000000',
};

/** The configuration of the node's first process (local/toolchain/programs/kubernetes/node.go). */
export function nodeConfigFile(context: LocalContext): string {
  return join(clusterLayout(context).folder, 'node.json');
}

function nodeConfig(context: LocalContext, settings: NodeSettings): string {
  const { folder, inside } = settings.layout;
  const binds = [
    { from: folder, to: inside.state },
    { from: context.logFolder, to: inside.logs },
    { from: dirname(settings.binaries.kubernetes), to: inside.bin },
    { from: join(folder, 'kubelet'), to: '/var/lib/kubelet' },
    { from: join(folder, 'pod-logs'), to: '/var/log/pods' },
  ];
  const units = nodeUnits(settings).map((unit) => ({ ...unit, log: `${inside.logs}/${unit.name}.log` }));
  return JSON.stringify({ hidden, binds, kernelSettings, units }, null, 2);
}

async function writeChanged(file: string, text: string): Promise<boolean> {
  if ((await readFile(file, 'utf8').catch(() => undefined)) === text) return false;
  await mkdir(dirname(file), { recursive: true });
  await writeFile(file, text);
  return true;
}

async function exists(file: string): Promise<boolean> {
  return access(file).then(
    () => true,
    () => false,
  );
}

/** Keys hold the node's address: after a change of it everything that was signed or stored before is void. */
async function ensureKeys(context: LocalContext, settings: NodeSettings): Promise<void> {
  const { folder } = settings.layout;
  const keys = join(folder, 'keys');
  const server = `https://${settings.network.nodeAddress}:6443`;
  const admin = join(keys, 'admin.kubeconfig');
  const known = await readFile(admin, 'utf8').catch(() => '');
  if (!known.includes(server) || !(await exists(join(keys, 'ca.crt')))) {
    await rm(folder, { recursive: true, force: true });
    // Keys, the database and pods' volumes hold secrets.
    await mkdir(folder, { recursive: true, mode: 0o700 });
    await mkdir(keys, { mode: 0o700 });
    const options = {
      folder: keys,
      address: settings.network.nodeAddress,
      server,
      node: nodeName,
      'service-address': apiServiceAddress,
    };
    const flags = Object.entries(options).map(([name, value]) => `--${name}=${value}`);
    await run(settings.binaries.kubernetes, ['certificates', ...flags]);
  }
  await copyFile(admin, kubeconfigFile(context));
}

/** Settings of the node on this machine. */
export async function nodeSettings(
  context: LocalContext,
  network: ClusterNetwork,
  binaries: ClusterBinaries,
): Promise<NodeSettings> {
  const { type } = await statfs(context.stateFolder);
  const snapshotter = type === overlayFileSystem ? 'native' : 'overlayfs';
  return { layout: clusterLayout(context), network, binaries, snapshotter };
}

/** Writes what the node reads when it starts; true when something differs from what a running node has read. */
export async function writeNodeState(context: LocalContext, settings: NodeSettings): Promise<boolean> {
  const { folder } = settings.layout;
  await ensureKeys(context, settings);
  for (const name of ['kubelet', 'pod-logs']) await mkdir(join(folder, name), { recursive: true });
  const archive = join(folder, 'pause.tar');
  if (!(await exists(archive))) {
    await writeImageArchive({ reference: pauseReference, program: settings.binaries.pause }, archive);
  }
  const files = {
    ...nodeFiles(settings),
    ...(await entraFiles(folder)),
    'node.json': nodeConfig(context, settings),
  };
  const writes = Object.entries(files).map(([name, text]) => writeChanged(join(folder, name), text));
  return (await Promise.all(writes)).some(Boolean);
}

/** Tells containerd which registries speak plain HTTP; it reads this anew at each pull. */
export async function writeRegistries(folder: string, registries: readonly string[]): Promise<void> {
  const file = (registry: string) => join(folder, 'registries', registry, 'hosts.toml');
  await Promise.all(registries.map((it) => writeChanged(file(it), registryHosts(it))));
}
