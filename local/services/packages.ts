import { execFile } from 'node:child_process';
import { access, rm, writeFile } from 'node:fs/promises';
import { promisify } from 'node:util';
import { DeliveryError } from '../../src/errors.ts';
import { clusterPackages } from '../cluster/packages.ts';
import type { LocalContext } from '../lib/context.ts';
import type { SystemPackage } from '../lib/systemPackage.ts';

const run = promisify(execFile);
const policyFile = '/usr/sbin/policy-rc.d';

/** What the base image is made with where no public registry can be reached. */
export const baseImagePackages: readonly SystemPackage[] = [
  { name: 'mmdebstrap', purpose: 'the base image with Python, where Docker Hub cannot be reached' },
  { name: 'debian-archive-keyring', purpose: "the signatures of the base image's packages" },
];

/** What images are built with where there is no daemon. */
export const buildahPackage: SystemPackage = {
  name: 'buildah',
  purpose: 'images from a Dockerfile without a daemon',
};

/** What the steps of a pipeline find on a hosted agent, too. */
const agentPackages: readonly SystemPackage[] = [
  { name: 'python3-venv', purpose: "the application's tests" },
  { name: 'python3-pip', purpose: "the application's dependencies" },
  { name: 'git', purpose: 'the checkout of pipelines' },
];

const isRootOnLinux = process.platform === 'linux' && process.getuid?.() === 0;

/**
 * What the demo and the tests need beside Node and Go. Elsewhere than as root on Linux nothing is installed:
 * the cluster is the user's own then, and each part says itself what it lacks.
 */
export const systemPackages: readonly SystemPackage[] = isRootOnLinux
  ? [...clusterPackages, ...baseImagePackages, ...agentPackages]
  : [];

async function exists(file: string): Promise<boolean> {
  return access(file).then(
    () => true,
    () => false,
  );
}

async function isInstalled({ name }: SystemPackage): Promise<boolean> {
  const status = await run('dpkg-query', ['--status', name]).catch(() => undefined);
  return status?.stdout.includes('\nStatus: install ok installed\n') ?? false;
}

function refusal(missing: readonly SystemPackage[], cause?: unknown): DeliveryError {
  const names = missing.map(({ name }) => name).join(' ');
  return new DeliveryError({
    code: 'SYSTEM_PACKAGES_MISSING',
    side: 'agent',
    message: `Missing on this machine: ${missing.map(({ name, purpose }) => `${name} (${purpose})`).join(', ')}.`,
    remedy: `Install them as root on Debian or Ubuntu: apt-get install ${names}. Then run the command again.`,
    cause,
  });
}

/** Keeps what is installed from starting at once: the services here are run by us, with our own settings. */
async function withoutServiceStarts(work: () => Promise<void>): Promise<void> {
  if (await exists(policyFile)) return work();
  await writeFile(policyFile, '#!/bin/sh\nexit 101\n', { mode: 0o755 });
  try {
    await work();
  } finally {
    await rm(policyFile, { force: true });
  }
}

async function aptGet(...args: readonly string[]): Promise<void> {
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive', NEEDRESTART_MODE: 'l' };
  await run('apt-get', ['--quiet', '--yes', '-o', 'DPkg::Lock::Timeout=300', ...args], {
    env,
    maxBuffer: 64 * 1024 * 1024,
  });
}

async function install(missing: readonly SystemPackage[]): Promise<void> {
  // A broken third-party source fails the update, yet Debian's own lists may be there.
  await aptGet('update').catch(() => undefined);
  await aptGet('install', '--no-install-recommends', ...missing.map(({ name }) => name));
}

/**
 * Installs those of the packages that are missing: by apt-get where this is root on Debian or Ubuntu.
 * Elsewhere, or when apt-get fails, it throws `SYSTEM_PACKAGES_MISSING` with what to install and why.
 */
export async function ensureSystemPackages(
  context: LocalContext,
  packages: readonly SystemPackage[],
): Promise<void> {
  const installed = await Promise.all(packages.map(isInstalled));
  const missing = packages.filter((_, index) => !installed[index]);
  if (missing.length === 0) return;
  if (!isRootOnLinux || !(await exists('/usr/bin/apt-get'))) throw refusal(missing);
  context.say(`Installing ${missing.map(({ name }) => name).join(', ')} (apt-get) …`);
  await withoutServiceStarts(() => install(missing)).catch((cause: unknown) => {
    throw refusal(missing, cause);
  });
}
