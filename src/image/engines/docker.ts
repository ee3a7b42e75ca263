import { formatPlatform } from '../../oci/types.ts';
import type { ImageBuilder } from '../builder.ts';
import type { EngineClient } from '../docker/client.ts';
import { packContext } from '../docker/context.ts';
import { engineLogins } from '../tool/logins.ts';
import { buildDockerfile, type DockerfileBuild, type EngineRun } from './application.ts';

export interface DockerEngineOptions extends DockerfileBuild {
  readonly engine: EngineClient;
  /** Name of the one image that stays in the engine: it holds the steps' results for the next build. */
  readonly cacheName: string;
}

/** Builds a Dockerfile by a Docker engine and takes the layers from it; the engine never sees the model. */
export function createDockerEngine(options: DockerEngineOptions): ImageBuilder {
  const { engine, cacheName, platform, buildArguments, onLine, target } = options;

  const buildInEngine = async ({ contextFolder, text }: EngineRun): Promise<string> => {
    const context = await packContext({ ...options, folder: contextFolder });
    const before = await engine.find(cacheName);
    const image = await engine.build({
      name: cacheName,
      dockerfile: context.dockerfile,
      dockerfileText: text,
      ...{ buildArguments, onLine },
      ...(target === undefined ? {} : { target }),
      credentials: engineLogins(await options.logins()),
      platform: formatPlatform(platform),
      context: () => context.archive.open(),
    });
    // The image before would only fill the agent's disk; a container that still uses it keeps it.
    if (before !== undefined && before !== image) await engine.remove(before).catch(() => undefined);
    return image;
  };

  return {
    engine: 'docker',
    build: () => buildDockerfile(options, async (run) => engine.export(await buildInEngine(run))),
  };
}
