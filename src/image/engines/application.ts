import { mkdtemp, readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Platform } from '../../oci/types.ts';
import type { BaseImage } from '../base.ts';
import type { BuiltApplication } from '../builder.ts';
import { readDockerfile } from '../docker/context.ts';
import { baseOfDockerfile } from '../docker/dockerfile.ts';
import { type ExportedImage, readExport } from '../docker/exported.ts';
import { readIgnoreFile, ruleFor } from '../layers/ignore.ts';
import type { Logins } from '../tool/logins.ts';

/** What every engine that builds a Dockerfile is told. */
export interface DockerfileBuild {
  readonly dockerfile: string;
  /** The Dockerfile's folder when absent. */
  readonly contextFolder?: string;
  /** The model's folder: where it lies within the context, no engine gets to see it. */
  readonly excluded?: string;
  readonly buildArguments: Readonly<Record<string, string>>;
  /** The stage to build; the last one when absent. */
  readonly target?: string;
  readonly platform: Platform;
  /** Time in seconds that files and layers get, where the build is to be reproducible. */
  readonly epoch?: number;
  /** For private base images; asked for once a build. */
  readonly logins: () => Promise<Logins>;
  /** The base image in its registry; undefined where it cannot be read. */
  readonly readBase: (name: string) => Promise<BaseImage | undefined>;
  /** Removed when the run ends, however it ends. */
  readonly workFolder: string;
  readonly onLine: (line: string) => void;
  readonly signal: AbortSignal;
}

/**
 * Writes a file of ignore rules, for engines whose program sends the context itself: the user's own rules, and the one for
 * the model; undefined where the model does not lie in the context.
 */
export async function writeIgnoreFile(
  { dockerfile, excluded }: Pick<DockerfileBuild, 'dockerfile' | 'excluded'>,
  { contextFolder }: Pick<EngineRun, 'contextFolder'>,
  file: string,
): Promise<string | undefined> {
  const rule = ruleFor(contextFolder, excluded);
  if (rule === undefined) return undefined;
  // A Dockerfile's own rules come before its context's. https://docs.docker.com/build/concepts/context/#filename-and-location
  const own = await readFile(`${dockerfile}.dockerignore`, 'utf8').catch(() => undefined);
  await writeFile(file, `${own ?? (await readIgnoreFile(contextFolder))}\n${rule}\n`);
  return file;
}

/** One build as it runs in an engine. */
export interface EngineRun {
  readonly contextFolder: string;
  /** An empty folder of this build's own, below the work folder. */
  readonly folder: string;
  /** The Dockerfile's text. */
  readonly text: string;
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
function divided(built: ExportedImage, base: BaseImage | undefined): BuiltApplication {
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

/**
 * Lets an engine build a Dockerfile and divides what it has made into base and application; meanwhile the base image is
 * looked up in its registry.
 */
export async function buildImageOf(
  options: DockerfileBuild,
  use: (run: EngineRun) => Promise<ExportedImage>,
): Promise<BuiltApplication> {
  const { dockerfile } = options;
  const text = await readDockerfile(dockerfile);
  const from = baseOfDockerfile(text, options.buildArguments, options.target);
  // Builds of several platforms share the work folder.
  const folder = await mkdtemp(join(options.workFolder, 'engine-'));
  const contextFolder = options.contextFolder ?? dirname(dockerfile);
  const work = [
    from === undefined ? undefined : options.readBase(from),
    use({ contextFolder, folder, text }),
  ] as const;
  // Settled first: after a failure nothing is written any more into a folder that is about to be removed.
  await Promise.allSettled(work);
  const [base, built] = await Promise.all(work);
  return divided(built, base);
}

/** {@link buildImageOf}, where `use` passes the image on as the archive that the engine writes. */
export function buildDockerfile(
  options: DockerfileBuild,
  use: (run: EngineRun) => Promise<AsyncIterable<Uint8Array>>,
): Promise<BuiltApplication> {
  return buildImageOf(options, async (run) => readExport(await use(run), run.folder, options.signal));
}
