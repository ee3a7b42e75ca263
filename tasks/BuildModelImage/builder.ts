import { openRegistry } from '../../src/azure/registry.ts';
import type { Host } from '../../src/host/host.ts';
import { type BaseImage, readBase } from '../../src/image/base.ts';
import type { ImageBuilder } from '../../src/image/builder.ts';
import { deliverDependencies } from '../../src/image/deliverDependencies.ts';
import { engineAddress } from '../../src/image/docker/address.ts';
import { createEngineClient } from '../../src/image/docker/client.ts';
import { createDockerEngine } from '../../src/image/engines/docker.ts';
import { createRegistryEngine } from '../../src/image/engines/registry.ts';
import type { Credentials } from '../../src/oci/auth.ts';
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
import type { ApplicationInput, BuildInputs } from './inputs.ts';

/** What the parts of one run share. */
export interface Run {
  readonly host: Host;
  readonly inputs: BuildInputs;
  readonly access: RegistryAccess;
  readonly client: RegistryClient;
  readonly created: Date;
  /** Removed when the run ends, however it ends. */
  readonly workFolder: string;
  readonly environment: NodeJS.ProcessEnv;
  readonly signal: AbortSignal;
}

/** A registry's client that tells the log of its further attempts. */
export function clientFor(
  run: Pick<Run, 'host' | 'signal'>,
  access: RegistryAccess,
  pushTo?: string,
): RegistryClient {
  return createRegistryClient({
    ...access,
    signal: run.signal,
    userAgent: 'model-delivery/BuildModelImage',
    onRetry: (reason, delayMs) =>
      run.host.log.info(`Registry: ${reason}; next attempt in ${formatSeconds(delayMs / 1000)}`),
    ...(pushTo === undefined ? {} : { pushTo }),
  });
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
function baseReader(run: Run): (name: string, platform: Platform) => Promise<BaseImage> {
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

type ReadBase = ReturnType<typeof baseReader>;

function registryEngine(
  run: Run,
  application: ApplicationInput & { engine: 'registry' },
  platform: Platform,
  readBaseOf: ReadBase,
): ImageBuilder {
  const { host, client, inputs, signal, workFolder, environment } = run;
  const { baseImage, requirements, appFolder, pythonVersion, workingDirectory } = application;
  return createRegistryEngine({
    readBase: () => readBaseOf(baseImage, platform),
    ...{ workingDirectory, platform },
    created: run.created,
    signal,
    ...(appFolder === undefined ? {} : { appFolder }),
    ...(pythonVersion === undefined ? {} : { pythonVersion }),
    ...(requirements === undefined
      ? {}
      : {
          dependencies: (target) =>
            deliverDependencies({
              ...{ client, repository: inputs.repository, requirements, target, signal, environment },
              temporaryFolder: workFolder,
              onResolve: () =>
                host.log.info(
                  `Packages: pip resolves them for Python ${target.version} on ${formatPlatform(platform)}`,
                ),
            }),
        }),
  });
}

/** User names and passwords by registry, for an engine that pulls by itself. */
function loginsOf({ host, inputs, access, client }: Run): Readonly<Record<string, Credentials>> {
  const { baseRegistry } = inputs;
  const base = baseRegistry === undefined ? undefined : openRegistry(host.connection(baseRegistry), host);
  return {
    ...(base?.credentials === undefined ? {} : { [new URL(base.registryUrl).host]: base.credentials }),
    ...(access.credentials === undefined ? {} : { [client.host]: access.credentials }),
  };
}

/** Each platform keeps steps of its own in the engine. */
function cacheName({ inputs }: Run, platform: Platform): string {
  const suffix = inputs.platforms.length === 1 ? '' : `-${platform.architecture}${platform.variant ?? ''}`;
  return `model-delivery-cache/${inputs.repository}${suffix}`;
}

function dockerEngine(
  run: Run,
  application: ApplicationInput & { engine: 'docker' },
  platform: Platform,
  readBaseOf: ReadBase,
): ImageBuilder {
  const { host, signal, workFolder } = run;
  const { dockerfile, contextFolder, buildArguments } = application;
  const address = engineAddress(run.environment, process.platform);
  host.log.info(`Docker engine at ${address.name}`);
  return createDockerEngine({
    engine: createEngineClient(address, signal),
    cacheName: cacheName(run, platform),
    ...{ dockerfile, buildArguments, workFolder, signal, platform },
    credentials: loginsOf(run),
    readBase: (name) =>
      readBaseOf(name, platform).catch((error: unknown) => {
        signal.throwIfAborted();
        const reason = error instanceof Error ? error.message : String(error);
        host.log.warning(
          `Base image '${name}' is not read from its registry, so its layers are pushed: ${reason}`,
        );
        return undefined;
      }),
    onLine: (line) => host.log.info(line),
    ...(contextFolder === undefined ? {} : { contextFolder }),
  });
}

/** The engine that the inputs ask for, once a platform. */
export function buildersFor(run: Run): readonly ImageBuilder[] {
  const { application, platforms } = run.inputs;
  const readBaseOf = baseReader(run);
  return platforms.map((platform) =>
    application.engine === 'registry'
      ? registryEngine(run, application, platform, readBaseOf)
      : dockerEngine(run, application, platform, readBaseOf),
  );
}
