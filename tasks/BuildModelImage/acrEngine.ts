import type { ImageBuilder } from '../../src/image/builder.ts';
import type { DockerfileBuild } from '../../src/image/engines/application.ts';
import type { Platform } from '../../src/oci/types.ts';
import { invalid } from './checks.ts';
import type { DockerfileInput } from './dockerfileInput.ts';
import { accesses, loginsOf } from './logins.ts';
import type { Run } from './running.ts';

/** The application's image has this tag while a run of ACR Tasks makes it; no deployment takes it. */
function stagingTag({ inputs }: Run, { architecture, variant = '' }: Platform): string {
  return inputs.platforms.length === 1
    ? 'model-delivery-stage'
    : `model-delivery-stage-${architecture}${variant}`;
}

/** The engine of Azure Container Registry's Tasks; loaded late, because few runs need it. Throws INPUT_INVALID. */
export function acrEngine(
  run: Run,
  application: DockerfileInput,
  options: DockerfileBuild,
  platform: Platform,
): ImageBuilder {
  const { inputs, client, access, host } = run;
  const connection = host.connection(inputs.registry.connection);
  if (access.fetchToken === undefined) {
    throw invalid(
      'engine',
      "is 'acr', and the registry's connection has no Azure identity",
      "Set 'azureSubscription' and 'registry', or a registry connection of type Azure Container Registry with an identity.",
    );
  }
  const { acrTimeout, acrAgentPool } = application;
  const own = {
    ...{ client, repository: inputs.repository, stagingTag: stagingTag(run, platform) },
    timeoutSeconds: acrTimeout,
    ...(acrAgentPool === undefined ? {} : { agentPool: acrAgentPool }),
    logins: () => loginsOf(run, accesses(run).slice(1)),
  };
  return {
    engine: 'acr',
    async build() {
      const { openRegistryTasks } = await import('../../src/azure/registryTasks.ts');
      const { createAcrEngine } = await import('../../src/image/engines/acr.ts');
      const tasks = openRegistryTasks(connection, access.registryUrl, {
        secret: (value) => host.secret(value),
        pipelineIdentity: () => host.pipelineIdentity(),
        cancelled: run.signal,
        log: host.log,
      });
      return createAcrEngine({ ...options, ...own, tasks }).build();
    },
  };
}
