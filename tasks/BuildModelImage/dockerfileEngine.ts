import { join } from 'node:path';
import type { Host } from '../../src/host/host.ts';
import { required } from '../../src/host/inputs.ts';
import type { ImageBuilder } from '../../src/image/builder.ts';
import { engineAddress } from '../../src/image/docker/address.ts';
import { createEngineClient } from '../../src/image/docker/client.ts';
import type { DockerfileBuild } from '../../src/image/engines/application.ts';
import { createBuildkitEngine } from '../../src/image/engines/buildkit.ts';
import { createDockerEngine } from '../../src/image/engines/docker.ts';
import { createPodmanEngine } from '../../src/image/engines/podman.ts';
import { toolMissing } from '../../src/image/tool/failure.ts';
import { findProgram } from '../../src/image/tool/find.ts';
import type { Platform } from '../../src/oci/types.ts';
import { acrEngine } from './acrEngine.ts';
import type { DockerfileInput } from './dockerfileInput.ts';
import { buildkitAddress, buildkitProgram, podmanPrograms } from './engine.ts';
import { accesses, loginsOf } from './logins.ts';
import { excludedFolder } from './modelInput.ts';
import type { ReadBase, Run } from './running.ts';

/** Each platform keeps steps of its own in the engine. */
function cacheName({ inputs }: Run, platform: Platform): string {
  const suffix = inputs.platforms.length === 1 ? '' : `-${platform.architecture}${platform.variant ?? ''}`;
  return `model-delivery-cache/${inputs.repository}${suffix}`;
}

function prescribedEpoch(host: Host): { epoch?: number } {
  const epoch = Number(host.variable('SOURCE_DATE_EPOCH') ?? Number.NaN);
  return Number.isInteger(epoch) ? { epoch } : {};
}

function commonOptions(
  run: Run,
  application: DockerfileInput,
  platform: Platform,
  readBaseOf: ReadBase,
): DockerfileBuild {
  const { host, signal, workFolder } = run;
  const { dockerfile, contextFolder, buildArguments, target } = application;
  return {
    ...{ dockerfile, buildArguments, workFolder, signal, platform },
    ...prescribedEpoch(host),
    logins: () => loginsOf(run),
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
    ...excludedFolder(run.inputs),
    ...(target === undefined ? {} : { target }),
  };
}

/** An engine whose program is looked for when it builds. */
function byProgram(
  run: Run,
  engine: 'buildkit' | 'podman',
  names: readonly string[],
  remedy: string,
  create: (program: string) => ImageBuilder,
): ImageBuilder {
  return {
    engine,
    async build() {
      const program = await findProgram(names, run.environment, process.platform);
      if (program === undefined) throw toolMissing(engine, names, remedy);
      return create(program).build();
    },
  };
}

function buildkitEngine(run: Run, application: DockerfileInput, options: DockerfileBuild): ImageBuilder {
  const { environment } = run;
  const { cacheFrom, cacheTo, secrets, buildkitCertificates: certificates } = application;
  const why = "with engine 'buildkit' where BUILDKIT_HOST is not set";
  const address = required(buildkitAddress(application, run), 'buildkitAddress', why);
  const remedy = "Install BuildKit's client on the agent (it is one program), or use another 'engine'.";
  const own = {
    ...{ environment, cacheFrom, cacheTo, secrets, address },
    ...(certificates === undefined ? {} : { certificates }),
  };
  return byProgram(run, 'buildkit', [buildkitProgram], remedy, (program) =>
    createBuildkitEngine({ ...options, ...own, program }),
  );
}

/** The agent keeps its tools from job to job; where it has no folder for them, nothing is kept. */
function storageFolder({ host }: Run): string {
  return join(host.variable('Agent.ToolsDirectory') ?? host.temporaryFolder, 'model-delivery', 'containers');
}

function podmanEngine(
  run: Run,
  application: DockerfileInput,
  options: DockerfileBuild & { readonly cacheName: string },
): ImageBuilder {
  const { environment } = run;
  const plainHosts = accesses(run)
    .map(({ registryUrl }) => new URL(registryUrl))
    .filter(({ protocol }) => protocol === 'http:')
    .map(({ host }) => host);
  const own = { environment, plainHosts, secrets: application.secrets, storage: storageFolder(run) };
  const remedy = "Install podman or buildah on the agent, or use another 'engine'.";
  return byProgram(run, 'podman', podmanPrograms, remedy, (program) =>
    createPodmanEngine({ ...options, ...own, program }),
  );
}

/** The engine that builds the Dockerfile for one platform. */
export function dockerfileEngine(
  run: Run,
  application: DockerfileInput,
  platform: Platform,
  readBaseOf: ReadBase,
): ImageBuilder {
  const options = commonOptions(run, application, platform, readBaseOf);
  const cached = { ...options, cacheName: cacheName(run, platform) };
  switch (application.engine) {
    case 'buildkit':
      return buildkitEngine(run, application, options);
    case 'podman':
      return podmanEngine(run, application, cached);
    case 'acr':
      return acrEngine(run, application, options, platform);
    default: {
      const address = engineAddress(run.environment, process.platform);
      run.host.log.info(`Docker engine at ${address.name}`);
      return createDockerEngine({ ...cached, engine: createEngineClient(address, run.signal) });
    }
  }
}
