import { mkdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { LocalContext } from '../lib/context.ts';
import type { RegistryEndpoint, StorageEndpoint } from '../lib/endpoints.ts';
import { registryBinary } from '../toolchain/registry.ts';
import { startRegistry, stopRegistry } from './registry.ts';
import { serviceFolder, writePrivate } from './state.ts';
import { startStorage, stopStorage } from './storage.ts';

/** What can be started by itself. */
export type ServicePart = 'storage' | 'registry';

/** Where the started services answer. */
export interface LocalServices {
  readonly storage?: StorageEndpoint;
  readonly registry?: RegistryEndpoint;
}

function endpointsFile(context: LocalContext): string {
  return join(context.stateFolder, 'services.json');
}

async function knownEndpoints(context: LocalContext): Promise<LocalServices> {
  try {
    return JSON.parse(await readFile(endpointsFile(context), 'utf8')) as LocalServices;
  } catch {
    return {};
  }
}

/**
 * Starts the named services, or leaves those that run, and gives the endpoints of all that were started.
 * They are kept in `<stateFolder>/services.json` too, which only its owner may read: it holds keys.
 */
export async function startServices(
  context: LocalContext,
  parts: readonly ServicePart[],
): Promise<LocalServices> {
  await mkdir(context.logFolder, { recursive: true });
  const [storage, registry] = await Promise.all([
    parts.includes('storage') ? startStorage(context) : undefined,
    parts.includes('registry')
      ? registryBinary(context).then((binary) => startRegistry(context, { binary }))
      : undefined,
  ]);
  const services = {
    ...(await knownEndpoints(context)),
    ...(storage && { storage }),
    ...(registry && { registry }),
  };
  await writePrivate(endpointsFile(context), JSON.stringify(services, null, 2));
  return services;
}

/** Ends every service of this context and removes its data; logs stay. Works after any of them was killed. */
export async function stopServices(context: LocalContext): Promise<void> {
  await Promise.all([stopStorage(context), stopRegistry(context)]);
  const remains = [
    endpointsFile(context),
    ...['storage', 'registry'].map((it) => serviceFolder(context, it)),
  ];
  await Promise.all(remains.map((path) => rm(path, { recursive: true, force: true })));
}
