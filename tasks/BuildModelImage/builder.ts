import type { Host } from '../../src/host/host.ts';
import { type BaseImage, readBase } from '../../src/image/base.ts';
import type { ImageBuilder } from '../../src/image/builder.ts';
import { deliverDependencies } from '../../src/image/deliverDependencies.ts';
import { engineAddress } from '../../src/image/docker/address.ts';
import { createEngineClient } from '../../src/image/docker/client.ts';
import { createDockerEngine } from '../../src/image/engines/docker.ts';
import { createRegistryEngine } from '../../src/image/engines/registry.ts';
import { createRegistryClient, type RegistryClient } from '../../src/oci/client.ts';
import type { RegistryAccess } from '../../src/oci/connection.ts';
import { parseReference, registryUrlOf } from '../../src/oci/reference.ts';
import { formatSeconds } from '../../src/report/format.ts';
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

/** The target registry is read with its credentials, every other one anonymously. */
function readBaseOf(run: Run, name: string): Promise<BaseImage> {
  const reference = parseReference(name);
  const isHere = reference.registry === run.client.host;
  const client = isHere ? run.client : clientFor(run, { registryUrl: registryUrlOf(reference.registry) });
  return readBase(client, reference, run.inputs.platform, isHere);
}

function registryEngine(run: Run, application: ApplicationInput & { engine: 'registry' }): ImageBuilder {
  const { host, client, inputs, signal, workFolder, environment } = run;
  const { baseImage, requirements, appFolder, pythonVersion, workingDirectory } = application;
  return createRegistryEngine({
    readBase: () => readBaseOf(run, baseImage),
    workingDirectory,
    platform: inputs.platform,
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
              onResolve: () => host.log.info(`Packages: pip resolves them for Python ${target.version}`),
            }),
        }),
  });
}

function dockerEngine(run: Run, application: ApplicationInput & { engine: 'docker' }): ImageBuilder {
  const { host, inputs, signal, workFolder, access, client } = run;
  const { dockerfile, contextFolder, buildArguments } = application;
  const address = engineAddress(run.environment, process.platform);
  host.log.info(`Docker engine at ${address.name}`);
  return createDockerEngine({
    engine: createEngineClient(address, signal),
    cacheName: `model-delivery-cache/${inputs.repository}`,
    ...{ dockerfile, buildArguments, workFolder, signal, platform: inputs.platform },
    credentials: access.credentials === undefined ? {} : { [client.host]: access.credentials },
    readBase: (name) =>
      readBaseOf(run, name).catch((error: unknown) => {
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

/** The engine that the inputs ask for. */
export function builderFor(run: Run): ImageBuilder {
  const { application } = run.inputs;
  return application.engine === 'registry'
    ? registryEngine(run, application)
    : dockerEngine(run, application);
}
