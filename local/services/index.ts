import { mkdir, rm } from 'node:fs/promises';
import { formatSeconds } from '../../src/report/format.ts';
import type { LocalContext } from '../lib/context.ts';
import { daemonRuns } from '../lib/daemon.ts';
import type { DockerEndpoint, RegistryEndpoint, StorageEndpoint } from '../lib/endpoints.ts';
import { registryBinary } from '../toolchain/registry.ts';
import { startDocker, stopDocker } from './docker.ts';
import { startRegistry, stopRegistry } from './registry.ts';
import { readEndpoints, removeEndpoints, serviceFolder, writeEndpoints } from './state.ts';
import { startStorage, stopStorage } from './storage.ts';

/** What can be started by itself. */
export const serviceParts = ['storage', 'registry', 'docker'] as const;
export type ServicePart = (typeof serviceParts)[number];

/** Where the started services answer. */
export interface LocalServices {
  readonly storage?: StorageEndpoint;
  readonly registry?: RegistryEndpoint;
  readonly docker?: DockerEndpoint;
}

export interface ServiceStatus {
  readonly part: ServicePart;
  readonly running: boolean;
  /** Where it answers, or answered last. */
  readonly address: string | undefined;
}

const addresses: { readonly [P in ServicePart]: (services: LocalServices) => string | undefined } = {
  storage: ({ storage }) => storage?.blobEndpoint,
  registry: ({ registry }) => registry?.url,
  docker: ({ docker }) => docker?.socket,
};

const starts: { readonly [P in ServicePart]: (context: LocalContext) => Promise<LocalServices> } = {
  storage: async (context) => ({ storage: await startStorage(context) }),
  registry: async (context) => ({
    registry: await startRegistry(context, { binary: await registryBinary(context) }),
  }),
  docker: async (context) => ({ docker: await startDocker(context) }),
};

/** One line a service: tick, name, address, time. */
export function serviceLine(mark: string, part: ServicePart, address: string, note: string): string {
  return `${mark} ${part.padEnd(8)}  ${address}  ${note}`;
}

async function start(context: LocalContext, part: ServicePart): Promise<LocalServices> {
  const started = performance.now();
  const services = await starts[part](context);
  const seconds = formatSeconds((performance.now() - started) / 1000);
  context.say(serviceLine('✔', part, addresses[part](services) ?? '', seconds));
  return services;
}

/**
 * Starts the named services, or leaves those that run, and gives their endpoints. They are kept in
 * `<stateFolder>/services.json` too, which only its owner may read: it holds keys.
 */
export async function startServices(
  context: LocalContext,
  parts: readonly ServicePart[],
): Promise<LocalServices> {
  await mkdir(context.logFolder, { recursive: true });
  // Settled, not raced: after a failure no start goes on behind the caller's back.
  const results = await Promise.allSettled(parts.map((part) => start(context, part)));
  const services: LocalServices = Object.assign(
    {},
    ...results.map((result) => (result.status === 'fulfilled' ? result.value : {})),
  );
  await writeEndpoints(context, { ...(await readEndpoints<LocalServices>(context)), ...services });
  const failed = results.find((result) => result.status === 'rejected');
  if (failed !== undefined) throw failed.reason;
  return services;
}

/** Ends every service of this context and removes its data; logs stay. Works after any of them was killed. */
export async function stopServices(context: LocalContext): Promise<void> {
  await Promise.all([stopStorage(context), stopRegistry(context), stopDocker(context)]);
  await removeEndpoints(context);
  const folders = serviceParts.map((part) => serviceFolder(context, part));
  await Promise.all(folders.map((path) => rm(path, { recursive: true, force: true })));
}

/** Which services run, and where. */
export async function servicesStatus(context: LocalContext): Promise<readonly ServiceStatus[]> {
  const services = (await readEndpoints<LocalServices>(context)) ?? {};
  return Promise.all(
    serviceParts.map(async (part) => ({
      part,
      running: await daemonRuns(context, part),
      address: addresses[part](services),
    })),
  );
}
