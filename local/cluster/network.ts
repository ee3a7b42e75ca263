import { mkdir, readdir, readFile, rm, rmdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { LocalContext } from '../lib/context.ts';
import { withLock } from '../toolchain/lock.ts';
import type { ClusterNetwork } from './clusterNetwork.ts';
import { run } from './command.ts';
import { type ClusterLayout, clusterLayout } from './layout.ts';
import { endStrays } from './strays.ts';
import { freeSubnet, type Subnet } from './subnet.ts';

const namespaceFolder = '/run/netns';

function recordFile(context: LocalContext): string {
  return join(context.stateFolder, 'network.json');
}

async function readRecord(context: LocalContext): Promise<Subnet | undefined> {
  try {
    return JSON.parse(await readFile(recordFile(context), 'utf8')) as Subnet;
  } catch {
    return undefined;
  }
}

interface AddressListing {
  readonly operstate?: string;
  readonly addr_info?: readonly { readonly local: string; readonly prefixlen: number }[];
}

async function hasAddress(options: readonly string[], link: string, address: string): Promise<boolean> {
  const text = await run('ip', [...options, '-j', '-4', 'address', 'show', 'dev', link]).catch(() => '[]');
  const links = JSON.parse(text) as readonly AddressListing[];
  return links.some((it) => it.operstate === 'UP' && it.addr_info?.some((info) => info.local === address));
}

async function isUp(layout: ClusterLayout, subnet: Subnet): Promise<boolean> {
  const ends = await Promise.all([
    hasAddress([], layout.hostLink, subnet.hostAddress),
    hasAddress(['-n', layout.name], layout.nodeLink, subnet.nodeAddress),
  ]);
  return ends.every(Boolean);
}

async function takenRanges(): Promise<string[]> {
  const routes = await run('ip', ['-j', '-4', 'route', 'show', 'table', 'all']);
  const destinations = (JSON.parse(routes) as readonly { readonly dst: string }[]).map((it) => it.dst);
  return destinations.filter((it) => it !== 'default');
}

async function create(layout: ClusterLayout, { hostAddress, nodeAddress }: Subnet): Promise<void> {
  await run('ip', ['netns', 'add', layout.name]);
  const machine = [
    `link add ${layout.hostLink} type veth peer name ${layout.nodeLink} netns ${layout.name}`,
    `address add ${hostAddress}/30 dev ${layout.hostLink}`,
    `link set ${layout.hostLink} up`,
  ];
  const node = [
    'link set lo up',
    `address add ${nodeAddress}/30 dev ${layout.nodeLink}`,
    `link set ${layout.nodeLink} up`,
    `route add default via ${hostAddress}`,
  ];
  await run('ip', ['-batch', '-'], { input: machine.join('\n') });
  await run('ip', ['-n', layout.name, '-batch', '-'], { input: node.join('\n') });
}

async function remove(layout: ClusterLayout): Promise<void> {
  // Routes through the pair go with it. Whatever is not there is left out silently.
  await run('ip', ['link', 'delete', layout.hostLink]).catch(() => undefined);
  await run('ip', ['netns', 'delete', layout.name]).catch(() => undefined);
  const others = await readdir(namespaceFolder).catch(() => undefined);
  if (others?.length !== 0) return;
  // `ip netns` mounts this folder on itself at first use and leaves it so.
  await run('umount', [namespaceFolder]).catch(() => undefined);
  await rmdir(namespaceFolder).catch(() => undefined);
}

function exclusively<T>(context: LocalContext, work: () => Promise<T>): Promise<T> {
  const waiting = () => context.say('Waiting for another checkout to arrange its network');
  return withLock(join(context.cacheFolder, 'network.lock'), waiting, work);
}

/**
 * Makes the node's network namespace and a veth pair to it, or finds them as they are. The addresses are a block of
 * 198.18.0.0/15 that was free at the first call, the same one after a restart if it still is. Nothing else of the
 * machine's network changes: no bridge, no forwarding, no iptables rule. Linux and root only.
 */
export async function ensureNetwork(context: LocalContext): Promise<ClusterNetwork> {
  const layout = clusterLayout(context);
  const known = await readRecord(context);
  if (known !== undefined && (await isUp(layout, known))) return network(layout, known);
  const subnet = await exclusively(context, async () => {
    // Processes in a namespace that is taken away could not be found again.
    await endStrays(context);
    await remove(layout);
    const free = freeSubnet(await takenRanges(), known?.block);
    await create(layout, free);
    return free;
  });
  await mkdir(context.stateFolder, { recursive: true });
  await writeFile(recordFile(context), JSON.stringify(subnet));
  return network(layout, subnet);
}

function network(layout: ClusterLayout, subnet: Subnet): ClusterNetwork {
  const { hostAddress, nodeAddress, loadBalancerRange } = subnet;
  return { hostAddress, nodeAddress, namespace: layout.name, loadBalancerRange };
}

/** Takes the namespace, the pair and every route through it away. What listens on the host address has ended before. */
export async function removeNetwork(context: LocalContext): Promise<void> {
  await exclusively(context, () => remove(clusterLayout(context)));
  await rm(recordFile(context), { force: true });
}
