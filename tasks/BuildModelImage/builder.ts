import { openRegistry } from '../../src/azure/registry.ts';
import { readBase } from '../../src/image/base.ts';
import type { ImageBuilder } from '../../src/image/builder.ts';
import { deliverDependencies } from '../../src/image/deliverDependencies.ts';
import { createRegistryEngine } from '../../src/image/engines/registry.ts';
import { formatLibc } from '../../src/image/python/target.ts';
import { createRegistryClient, type RegistryClient } from '../../src/oci/client.ts';
import type { RegistryAccess } from '../../src/oci/connection.ts';
import {
  type ImageReference,
  parseReference,
  registryUrlOf,
  wantedVersion,
} from '../../src/oci/reference.ts';
import { formatPlatform, type Platform } from '../../src/oci/types.ts';
import { formatSeconds } from '../../src/report/format.ts';
import { invalid } from './checks.ts';
import { dockerfileEngine } from './dockerfileEngine.ts';
import type { ApplicationInput } from './inputs.ts';
import { excludedFolder } from './modelInput.ts';
import type { ReadBase, Run } from './running.ts';

/** A registry's client that tells the log of its further attempts. */
export function clientFor(
  run: Pick<Run, 'host' | 'signal'>,
  access: RegistryAccess,
  pushTo?: string,
): RegistryClient {
  return createRegistryClient({
    ...access,
    signal: run.signal,
    onRetry: (reason, delayMs) =>
      run.host.log.info(`Registry: ${reason}; next attempt in ${formatSeconds(delayMs / 1000)}`),
    ...(pushTo === undefined ? {} : { pushTo }),
  });
}

/** Where layers are compressed, when the inputs ask for it. */
export function gzipFolderOf({ inputs, workFolder }: Run): { readonly gzipFolder?: string } {
  return inputs.layerCompression === 'gzip' ? { gzipFolder: workFolder } : {};
}

/** The registry of a base image: the target's client, the one of its own connection, else without credentials. */
function baseClient(run: Run, registry: string): RegistryClient {
  const { client, inputs, host } = run;
  if (registry === client.host) return client;
  const { baseRegistry } = inputs;
  if (baseRegistry === undefined) return clientFor(run, { registryUrl: registryUrlOf(registry) });
  const access = openRegistry(host.connection(baseRegistry), host);
  const meant = new URL(access.registryUrl).host;
  if (meant === new URL(registryUrlOf(registry)).host) return clientFor(run, access);
  throw invalid(
    'baseRegistry',
    `is for ${meant}, but the base image is in ${registry}`,
    "Choose the connection of the base image's registry, or leave it empty.",
  );
}

/** Reads base images for one run: a tag is looked up once, so that all platforms stand on the same build of it. */
function baseReader(run: Run): ReadBase {
  const pinned = new Map<string, Promise<ImageReference>>();
  const pin = async (client: RegistryClient, reference: ImageReference): Promise<ImageReference> => {
    if (run.inputs.platforms.length === 1) return reference;
    const { digest } = await client.manifest(reference.repository, wantedVersion(reference));
    return { ...reference, digest };
  };
  return async (name, platform) => {
    const reference = parseReference(name);
    const client = baseClient(run, reference.registry);
    const found = pinned.get(name) ?? pin(client, reference);
    pinned.set(name, found);
    return readBase(client, await found, platform, client === run.client);
  };
}

function registryEngine(
  run: Run,
  application: ApplicationInput & { engine: 'registry' },
  platform: Platform,
  readBaseOf: ReadBase,
): ImageBuilder {
  const { host, client, inputs, signal, workFolder, environment } = run;
  const { baseImage, requirements, appFolder, pythonVersion, libc, workingDirectory } = application;
  return createRegistryEngine({
    readBase: () => readBaseOf(baseImage, platform),
    ...{ workingDirectory, platform },
    ...gzipFolderOf(run),
    created: run.created,
    signal,
    ...(appFolder === undefined ? {} : { appFolder }),
    ...excludedFolder(inputs),
    ...(pythonVersion === undefined ? {} : { pythonVersion }),
    ...(libc === undefined ? {} : { libc }),
    ...(requirements === undefined
      ? {}
      : {
          dependencies: (target) =>
            deliverDependencies({
              ...{ client, repository: inputs.repository, requirements, target, signal, environment },
              temporaryFolder: workFolder,
              onResolve: () =>
                host.log.info(
                  `Packages: pip resolves them for Python ${target.version} on ${formatPlatform(platform)}, ${formatLibc(target.libc)}`,
                ),
            }),
        }),
  });
}

/** The engine that the inputs ask for, once a platform. */
export function buildersFor(run: Run): readonly ImageBuilder[] {
  const { application, platforms } = run.inputs;
  const readBaseOf = baseReader(run);
  return platforms.map((platform) =>
    application.engine === 'registry'
      ? registryEngine(run, application, platform, readBaseOf)
      : dockerfileEngine(run, application, platform, readBaseOf),
  );
}
