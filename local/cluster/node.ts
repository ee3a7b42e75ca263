import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { LocalContext } from '../lib/context.ts';
import { daemonRuns, startDaemon, stopDaemon } from '../lib/daemon.ts';
import { ensureCgroups, removeCgroups } from './cgroups.ts';
import { run } from './command.ts';
import { isHealthy } from './health.ts';
import { clusterLayout, kubeconfigFile } from './layout.ts';
import type { NodeSettings } from './nodeFiles.ts';
import { nodeConfigFile } from './nodeState.ts';
import { endStrays } from './strays.ts';

const nodeDaemon = 'kubernetes';
const balancerDaemon = 'load-balancer';
/** Time for the node to start killed parts again before all of it is started anew. */
const recoveryMs = 30_000;

function namespaceFile(settings: NodeSettings): string {
  return `/run/netns/${settings.network.namespace}`;
}

/** Rules of pods that a killed node left; kube-proxy and the pod network write theirs anew. */
async function emptyRules(settings: NodeSettings): Promise<void> {
  const tables = ['nat', 'filter', 'mangle'].map((table) => `*${table}\nCOMMIT\n`).join('');
  await run('nsenter', [`--net=${namespaceFile(settings)}`, 'iptables-restore'], { input: tables });
}

/**
 * The node's first process gets namespaces of its own for mounts and process ids, and the pinned one for its network.
 * Entering by `nsenter` and not `ip netns exec` keeps /sys as it is: a fresh one has no cgroups.
 */
function nodeCommand(context: LocalContext, settings: NodeSettings): string[] {
  return [
    `--net=${namespaceFile(settings)}`,
    'unshare',
    ...['--mount', '--propagation=slave', '--pid', '--fork', '--kill-child', '--mount-proc'],
    settings.binaries.kubernetes,
    'node',
    nodeConfigFile(context),
  ];
}

async function startBalancer(context: LocalContext, settings: NodeSettings): Promise<void> {
  const { loadBalancerRange, nodeAddress } = settings.network;
  const log = join(context.logFolder, `${balancerDaemon}.log`);
  await startDaemon(context, {
    name: balancerDaemon,
    command: settings.binaries.kubernetes,
    args: [
      'load-balancer',
      `--kubeconfig=${kubeconfigFile(context)}`,
      `--range=${loadBalancerRange}`,
      `--gateway=${nodeAddress}`,
    ],
    ready: async () => (await readFile(log, 'utf8')).includes('watching Services'),
  });
}

function health(context: LocalContext, settings: NodeSettings): Promise<boolean> {
  return isHealthy(kubeconfigFile(context), settings.network.nodeAddress);
}

/** True once the running node answers; false when none runs, or it does not recover in time. */
export async function nodeServes(context: LocalContext, settings: NodeSettings): Promise<boolean> {
  const deadline = Date.now() + recoveryMs;
  while (await daemonRuns(context, nodeDaemon)) {
    if (await health(context, settings)) return true;
    if (Date.now() > deadline) return false;
    await sleep(100);
  }
  return false;
}

/** Starts the node, or only what of it does not run, and gives back when pods can be made. */
export async function startNode(context: LocalContext, settings: NodeSettings): Promise<void> {
  if (!(await nodeServes(context, settings))) {
    await stopNode(context);
    await ensureCgroups(settings.layout.name);
    await emptyRules(settings);
    await startDaemon(context, {
      name: nodeDaemon,
      command: 'nsenter',
      args: nodeCommand(context, settings),
      // The caller's proxy settings must not reach containerd: the node sees this machine only.
      env: { PATH: `${process.env['PATH']}:/usr/sbin:/sbin` },
      ready: () => health(context, settings),
      readyTimeoutMs: 180_000,
    });
  }
  await startBalancer(context, settings);
}

/** Ends every process of the cluster, known or stray, and removes its control groups. */
export async function stopNode(context: LocalContext): Promise<void> {
  await Promise.all([stopDaemon(context, balancerDaemon, 3_000), stopDaemon(context, nodeDaemon, 3_000)]);
  await endStrays(context);
  await removeCgroups(clusterLayout(context).name);
}
