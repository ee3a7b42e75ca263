import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { request } from 'node:http';
import { networkInterfaces, tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { DeliveryError } from '../../src/errors.ts';
import type { LocalContext } from '../lib/context.ts';
import { startDaemon, stopDaemon } from '../lib/daemon.ts';
import type { DockerEndpoint } from '../lib/endpoints.ts';
import type { SystemPackage } from '../lib/systemPackage.ts';
import { ensureSystemPackages } from './packages.ts';
import { killCgroup, killNaming, removeCgroup, unmountBelow } from './remains.ts';
import { readState, serviceFolder, writePrivate, writeState } from './state.ts';

const run = promisify(execFile);
const service = 'docker';
/** Where the registry listens when there is a cluster. */
const localRegistries = '198.18.0.0/15';

/** What the Docker engine is made from. */
export const dockerPackages: readonly SystemPackage[] = [
  { name: 'docker.io', purpose: 'the Docker engine, for images built from a Dockerfile' },
  { name: 'iproute2', purpose: "the network bridge of the Docker engine's containers" },
];

interface DockerState {
  /** Sockets live here: their path may have 107 bytes at most, so not below the state folder. */
  readonly runFolder: string;
  readonly bridge: string;
  /** Third number of the bridge's 198.19.x.0/24, of the range that RFC 2544 keeps for tests. */
  readonly subnet: number;
  readonly cgroup: string;
}

function freeSubnet(wish: number): number {
  const taken = Object.values(networkInterfaces()).flatMap((list) => list?.map((it) => it.address) ?? []);
  const candidates = Array.from({ length: 256 }, (_, index) => (wish + index) % 256);
  const free = candidates.find((subnet) => !taken.some((it) => it.startsWith(`198.19.${subnet}.`)));
  return free ?? wish;
}

async function settle(context: LocalContext): Promise<DockerState> {
  const last = await readState<DockerState>(context, service);
  if (last !== undefined) return last;
  const id = createHash('sha256').update(context.stateFolder).digest();
  const name = `mdd-${id.toString('hex', 0, 4)}`;
  const state = {
    runFolder: await mkdtemp(join(tmpdir(), 'mdd-')),
    bridge: name,
    subnet: freeSubnet(id.readUInt8(4)),
    cgroup: `/${name}`,
  };
  await writeState(context, service, state);
  return state;
}

/**
 * The engine's settings. It touches neither the machine's packet filter nor its forwarding: a container reaches
 * this machine, and is reached at its address or a published port; the web it reaches with host networking only.
 * https://docs.docker.com/reference/cli/dockerd/#daemon-configuration-file
 */
function configuration(state: DockerState, folder: string, socket: string): object {
  const own = (name: string): string => join(state.runFolder, name);
  return {
    hosts: [socket],
    group: 'root',
    'data-root': join(folder, 'data'),
    'exec-root': own('exec'),
    pidfile: own('docker.pid'),
    'deprecated-key-path': join(folder, 'key.json'),
    bridge: state.bridge,
    iptables: false,
    ip6tables: false,
    'ip-forward': false,
    'ip-masq': false,
    'insecure-registries': ['127.0.0.0/8', localRegistries],
    'cgroup-parent': state.cgroup,
    'exec-opts': ['native.cgroupdriver=cgroupfs'],
    // A lower score needs a capability that containers and small machines lack.
    'oom-score-adjust': 0,
  };
}

async function makeBridge({ bridge, subnet }: DockerState): Promise<void> {
  const isThere = networkInterfaces()[bridge] !== undefined;
  if (!isThere) await run('ip', ['link', 'add', bridge, 'type', 'bridge']).catch(() => undefined);
  await run('ip', ['address', 'replace', `198.19.${subnet}.1/24`, 'dev', bridge]);
  await run('ip', ['link', 'set', bridge, 'up']);
}

function answers(socket: string): Promise<boolean> {
  return new Promise((resolve) => {
    const ping = request(
      { socketPath: socket.replace('unix://', ''), path: '/_ping', timeout: 2_000 },
      (it) => {
        it.resume();
        resolve(it.statusCode === 200);
      },
    );
    ping.once('error', () => resolve(false));
    ping.once('timeout', () => ping.destroy(new Error('no answer')));
    ping.end();
  });
}

/** Where an engine of our own cannot run: the one that the user has. */
async function existingEngine(): Promise<DockerEndpoint> {
  const named = process.env['DOCKER_HOST'];
  const socket = named?.startsWith('unix://') ? named : 'unix:///var/run/docker.sock';
  if (await answers(socket)) return { socket };
  throw new DeliveryError({
    code: 'DOCKER_ENGINE_MISSING',
    side: 'engine',
    message: `No Docker engine answers at ${socket}, and without root on Linux none can be started.`,
    remedy: 'Start Docker (or name its unix socket in DOCKER_HOST), or run the command as root on Linux.',
  });
}

/** A proxy of the user's serves for the web; the local registry is not behind it. */
function engineEnvironment(caller: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  const direct = [caller['NO_PROXY'] ?? caller['no_proxy'], localRegistries].filter(Boolean).join();
  return { ...caller, PATH: `${caller['PATH']}:/usr/sbin:/sbin`, NO_PROXY: direct, no_proxy: direct };
}

/** Starts a Docker engine of our own, with its own data, sockets and network, beside any that the machine has. */
export async function startDocker(context: LocalContext): Promise<DockerEndpoint> {
  if (process.platform !== 'linux' || process.getuid?.() !== 0) return existingEngine();
  await ensureSystemPackages(context, dockerPackages);
  const state = await settle(context);
  const socket = `unix://${join(state.runFolder, 'docker.sock')}`;
  if (await answers(socket)) return { socket };
  await endEngine(context, state);
  await mkdir(state.runFolder, { mode: 0o700 });
  await makeBridge(state);
  const folder = serviceFolder(context, service);
  const settings = join(folder, 'daemon.json');
  await writePrivate(settings, JSON.stringify(configuration(state, folder, socket), null, 2));
  await startDaemon(context, {
    name: service,
    command: 'dockerd',
    args: ['--config-file', settings],
    env: engineEnvironment(process.env),
    ready: () => answers(socket),
  });
  return { socket };
}

/** Ends the engine and its containers, and what a killed one leaves: containerd, shims, mounts. Images stay. */
async function endEngine(context: LocalContext, { runFolder, cgroup }: DockerState): Promise<void> {
  // Containers first, without the ten seconds of grace that the engine gives each.
  await killCgroup(cgroup);
  await stopDaemon(context, service);
  await killNaming('containerd', runFolder);
  await killCgroup(cgroup);
  await removeCgroup(cgroup);
  await unmountBelow([runFolder, serviceFolder(context, service)]);
  // With its pid file left, the next engine would take a process that reuses the pid for its own containerd.
  await rm(runFolder, { recursive: true, force: true });
}

/** Ends the engine and its containers, and removes its network, mounts, control group, images and data. */
export async function stopDocker(context: LocalContext): Promise<void> {
  const state = await readState<DockerState>(context, service);
  if (state === undefined) return;
  await endEngine(context, state);
  await run('ip', ['link', 'delete', state.bridge]).catch(() => undefined);
  await rm(serviceFolder(context, service), { recursive: true, force: true });
}
