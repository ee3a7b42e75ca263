import { mkdir, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DeliveryError } from '../../src/errors.ts';
import { createAuthority } from '../identity/authority.ts';
import type { LocalContext } from '../lib/context.ts';
import { startDaemon, stopDaemon } from '../lib/daemon.ts';
import type { BuildkitEndpoint, RegistryEndpoint } from '../lib/endpoints.ts';
import { connects, freePort } from '../lib/ports.ts';
import type { SystemPackage } from '../lib/systemPackage.ts';
import { buildkitBinary } from '../toolchain/buildkit.ts';
import { ensureSystemPackages } from './packages.ts';
import { killNaming, unmountBelow } from './remains.ts';
import { readState, serviceFolder, writePrivate, writeState } from './state.ts';

const service = 'buildkit';

const buildkitPackages: readonly SystemPackage[] = [
  { name: 'runc', purpose: 'BuildKit, whose build steps it runs' },
];

interface BuildkitState {
  /** The socket lives here: its path may have 107 bytes at most, so not below the state folder. */
  readonly runFolder: string;
  /** Where it listens by TLS. */
  readonly port: number;
}

async function settle(context: LocalContext): Promise<BuildkitState> {
  const last = await readState<BuildkitState>(context, service);
  if (last !== undefined) return last;
  const state = { runFolder: await mkdtemp(join(tmpdir(), 'mdb-')), port: await freePort() };
  await writeState(context, service, state);
  return state;
}

/** Steps use the machine's network. https://github.com/moby/buildkit/blob/v0.34.2/docs/buildkitd.toml.md */
function configuration(state: BuildkitState, folder: string, registry: RegistryEndpoint): string {
  return [
    `root = ${JSON.stringify(join(folder, 'root'))}`,
    '[grpc]',
    `address = ${JSON.stringify([`unix://${join(state.runFolder, 'buildkitd.sock')}`, tlsAddress(state)])}`,
    '[grpc.tls]',
    ...['ca', 'cert', 'key'].map((name) => `${name} = ${JSON.stringify(join(folder, 'tls', `${name}.pem`))}`),
    '[worker.oci]',
    'networkMode = "host"',
    '[worker.containerd]',
    'enabled = false',
    `[registry.${JSON.stringify(registry.host)}]`,
    `http = ${registry.url.startsWith('http:')}`,
    '',
  ].join('\n');
}

const tlsAddress = ({ port }: BuildkitState): string => `tcp://127.0.0.1:${port}`;

/** One certificate for daemon and client, of an authority that nobody else has. */
async function writeCertificates(folder: string): Promise<void> {
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const authority = await createAuthority();
  const { cert, key } = await authority.issue();
  await writePrivate(join(folder, 'ca.pem'), authority.certificate);
  await writePrivate(join(folder, 'cert.pem'), cert);
  await writePrivate(join(folder, 'key.pem'), key);
}

const listens = (path: string): Promise<boolean> => connects({ path }, 2_000);

async function endBuildkit(context: LocalContext, { runFolder }: BuildkitState): Promise<void> {
  const folder = serviceFolder(context, service);
  await stopDaemon(context, service);
  await killNaming('runc', folder);
  await unmountBelow([folder]);
  await rm(runFolder, { recursive: true, force: true });
}

/** Where a daemon of our own cannot run: the one that the user has. */
function existingDaemon(client: string): BuildkitEndpoint {
  const address = process.env['BUILDKIT_HOST'];
  if (address !== undefined) return { address, client };
  throw new DeliveryError({
    code: 'BUILDKIT_MISSING',
    side: 'engine',
    message: 'BuildKit needs root on Linux, and no other daemon is named.',
    remedy: 'Name one in BUILDKIT_HOST, or run the command as root on Linux.',
  });
}

/** Starts a BuildKit daemon that pulls from this registry too. */
export async function startBuildkit(
  context: LocalContext,
  registry: RegistryEndpoint,
): Promise<BuildkitEndpoint> {
  const client = await buildkitBinary(context, 'buildctl');
  if (process.platform !== 'linux' || process.getuid?.() !== 0) return existingDaemon(client);
  await ensureSystemPackages(context, buildkitPackages);
  const state = await settle(context);
  const folder = serviceFolder(context, service);
  const socket = join(state.runFolder, 'buildkitd.sock');
  const file = join(folder, 'buildkitd.toml');
  const wanted = configuration(state, folder, registry);
  const tls = { address: tlsAddress(state), certificates: join(folder, 'tls') };
  const endpoint = { address: `unix://${socket}`, client, tls };
  const isSame = (await readFile(file, 'utf8').catch(() => '')) === wanted;
  if (isSame && (await listens(socket))) return endpoint;
  await endBuildkit(context, state);
  await mkdir(state.runFolder, { mode: 0o700 });
  await writePrivate(file, wanted);
  await writeCertificates(join(folder, 'tls'));
  await startDaemon(context, {
    name: service,
    command: await buildkitBinary(context, 'buildkitd'),
    args: ['--config', file],
    env: { ...process.env, PATH: `${process.env['PATH']}:/usr/sbin:/sbin` },
    ready: () => listens(socket),
  });
  return endpoint;
}

/** Ends the daemon and removes its mounts and data. */
export async function stopBuildkit(context: LocalContext): Promise<void> {
  const state = await readState<BuildkitState>(context, service);
  if (state === undefined) return;
  await endBuildkit(context, state);
  await rm(serviceFolder(context, service), { recursive: true, force: true });
}
