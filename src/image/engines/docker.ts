import { dirname } from 'node:path';
import type { Credentials } from '../../oci/auth.ts';
import { formatPlatform, type Platform } from '../../oci/types.ts';
import type { BaseImage } from '../base.ts';
import type { BuiltApplication, ImageBuilder } from '../builder.ts';
import type { EngineClient } from '../docker/client.ts';
import { packContext, readDockerfile } from '../docker/context.ts';
import { baseOfDockerfile } from '../docker/dockerfile.ts';
import { type ExportedImage, readExport } from '../docker/exported.ts';

export interface DockerEngineOptions {
  readonly engine: EngineClient;
  /** Name of the one image that stays in the engine: it holds the steps' results for the next build. */
  readonly cacheName: string;
  readonly dockerfile: string;
  /** The Dockerfile's folder when absent. */
  readonly contextFolder?: string;
  readonly buildArguments: Readonly<Record<string, string>>;
  readonly platform: Platform;
  readonly credentials: Readonly<Record<string, Credentials>>;
  /** The base image in its registry; undefined where it cannot be read. */
  readonly readBase: (name: string) => Promise<BaseImage | undefined>;
  readonly workFolder: string;
  readonly onLine: (line: string) => void;
  readonly signal: AbortSignal;
}

/** How many of the built image's layers are those of the base; 0 unless all of the base's are. */
function sharedLayers(built: ExportedImage, base: BaseImage | undefined): number {
  const layers = base?.layers ?? [];
  return layers.every((layer, index) => built.layers[index]?.diffId === layer.diffId) ? layers.length : 0;
}

/**
 * Without the base there is no telling where the application begins, so the model goes on top of everything.
 * With it, the base's own blobs are taken: they can be mounted, and need no upload.
 */
function applicationOf(built: ExportedImage, base: BaseImage | undefined): BuiltApplication {
  const { config } = built;
  const count = sharedLayers(built, base);
  const history = config.history ?? [];
  if (base === undefined || count === 0) return { below: built.layers, above: [], config, history };
  return {
    base: { name: base.name, digest: base.digest },
    below: base.layers,
    above: built.layers.slice(count),
    config,
    history,
  };
}

/** Builds a Dockerfile by a Docker engine and takes the layers from it; the engine never sees the model. */
export function createDockerEngine(options: DockerEngineOptions): ImageBuilder {
  const { engine, cacheName, dockerfile, signal, platform, buildArguments, credentials, onLine } = options;

  const buildInEngine = async (): Promise<string> => {
    const folder = options.contextFolder ?? dirname(dockerfile);
    const context = await packContext({ folder, dockerfile, signal });
    const before = await engine.find(cacheName);
    const image = await engine.build({
      name: cacheName,
      dockerfile: context.dockerfile,
      ...{ buildArguments, credentials, onLine },
      platform: formatPlatform(platform),
      context: () => context.archive.open(),
    });
    // The image before would only fill the agent's disk; a container that still uses it keeps it.
    if (before !== undefined && before !== image) await engine.remove(before).catch(() => undefined);
    return image;
  };

  return {
    engine: 'docker',
    async build(): Promise<BuiltApplication> {
      const text = await readDockerfile(dockerfile);
      const from = baseOfDockerfile(text, buildArguments);
      const [base, image] = await Promise.all([
        from === undefined ? undefined : options.readBase(from),
        buildInEngine(),
      ]);
      return applicationOf(await readExport(engine.export(image), options.workFolder, signal), base);
    },
  };
}
