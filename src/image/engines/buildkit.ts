import { createReadStream, createWriteStream } from 'node:fs';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import type { ImageBuilder } from '../builder.ts';
import { type BuildkitInputs, buildctlArguments } from '../buildkit/arguments.ts';
import { buildkitFailure } from '../buildkit/failure.ts';
import { writeLogins } from '../tool/logins.ts';
import { runProgram } from '../tool/program.ts';
import { buildDockerfile, type DockerfileBuild, type EngineRun } from './application.ts';

export interface BuildkitEngineOptions extends DockerfileBuild, BuildkitInputs {
  /** Path of buildctl. */
  readonly program: string;
  /** Where buildkitd listens, for example `tcp://buildkit.build:1234`. */
  readonly address: string;
  readonly environment: NodeJS.ProcessEnv;
}

/** Progress of downloads, many lines a second. */
const noise = /^#\d+ (sha256:\S+ .*|\.\.\.)$/;

/**
 * Builds a Dockerfile by a BuildKit daemon and takes the layers from the archive that it sends back; nothing is pushed
 * by it, and it never sees the model. Its log-ins lie in a folder of this build's own.
 */
export function createBuildkitEngine(options: BuildkitEngineOptions): ImageBuilder {
  const { program, address, environment, signal, onLine } = options;

  const run = async ({ contextFolder, folder }: EngineRun): Promise<AsyncIterable<Uint8Array>> => {
    const settings = join(folder, 'docker');
    await writeLogins(settings, await options.logins());
    const archive = join(folder, 'image.tar');
    const ended = await runProgram({
      command: [program, ...buildctlArguments(address, options, contextFolder)],
      environment: { ...environment, DOCKER_CONFIG: settings },
      signal,
      onLine: (line) => {
        if (!noise.test(line)) onLine(line);
      },
      takeOutput: (output) => pipeline(output, createWriteStream(archive)),
    });
    if (ended.code !== 0) throw buildkitFailure(ended.lines, address);
    return createReadStream(archive);
  };

  return { engine: 'buildkit', build: () => buildDockerfile(options, run) };
}
