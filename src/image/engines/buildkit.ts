import { createReadStream, createWriteStream } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { makeFolder } from '../../files/folder.ts';
import type { ImageBuilder } from '../builder.ts';
import { type BuildkitInputs, buildctlArguments } from '../buildkit/arguments.ts';
import { buildkitFailure } from '../buildkit/failure.ts';
import { writeLogins } from '../tool/logins.ts';
import { runProgram } from '../tool/program.ts';
import { buildDockerfile, type DockerfileBuild, type EngineRun, writeIgnoreFile } from './application.ts';

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

  /** The Dockerfile with rules of its own beside it, where the model lies in the context. */
  const dockerfileOf = async (engineRun: EngineRun): Promise<string> => {
    const own = join(engineRun.folder, 'dockerfile');
    await makeFolder(own);
    const copy = join(own, basename(options.dockerfile));
    const ignored = await writeIgnoreFile(options, engineRun, `${copy}.dockerignore`);
    if (ignored === undefined) return options.dockerfile;
    await writeFile(copy, engineRun.text);
    return copy;
  };

  const run = async (engineRun: EngineRun): Promise<AsyncIterable<Uint8Array>> => {
    const { contextFolder, folder } = engineRun;
    const wanted = { ...options, dockerfile: await dockerfileOf(engineRun) };
    const settings = join(folder, 'docker');
    await writeLogins(settings, await options.logins());
    const archive = join(folder, 'image.tar');
    const ended = await runProgram({
      command: [program, ...buildctlArguments(address, wanted, contextFolder)],
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
