import { createReadStream } from 'node:fs';
import { basename, join } from 'node:path';
import { exclusively } from '../../files/exclusive.ts';
import { makeFolder } from '../../files/folder.ts';
import { formatPlatform } from '../../oci/types.ts';
import type { ImageBuilder } from '../builder.ts';
import { secretArguments } from '../buildkit/arguments.ts';
import { podmanFailure } from '../podman/failure.ts';
import { writeRegistries } from '../podman/registries.ts';
import { writeLogins } from '../tool/logins.ts';
import { type ProgramEnd, runProgram } from '../tool/program.ts';
import { buildDockerfile, type DockerfileBuild, type EngineRun, writeIgnoreFile } from './application.ts';

export interface PodmanEngineOptions extends DockerfileBuild {
  /** Path of podman or buildah, whose `build` is the same. */
  readonly program: string;
  /** Folder of images and containers that no other program uses; it keeps the steps' results for the next build. */
  readonly storage: string;
  /** Name of the one image that stays there. */
  readonly cacheName: string;
  readonly secrets: Readonly<Record<string, string>>;
  /** Registries that are reached by http. */
  readonly plainHosts: readonly string[];
  readonly environment: NodeJS.ProcessEnv;
}

interface Session extends EngineRun {
  readonly environment: NodeJS.ProcessEnv;
}

/**
 * Builds a Dockerfile by podman or buildah, which need no daemon, and takes the layers from the image that they write
 * out; they never see the model. Log-ins and settings lie in a folder of this build's own. What a build that was
 * killed has left in the storage is removed before the next one.
 */
export function createPodmanEngine(options: PodmanEngineOptions): ImageBuilder {
  const { program, storage, cacheName, dockerfile, signal, onLine } = options;
  const image = `localhost/${cacheName}`;
  const isBuildah = basename(program).startsWith('buildah');
  /** The arguments that it does not find used are its own. */
  const tellUseful = (line: string): void => {
    if (!line.startsWith('[Warning] one or more build args')) onLine(line);
  };

  const call = async (
    { environment }: Session,
    args: readonly string[],
    tell: (line: string) => void = () => undefined,
  ): Promise<ProgramEnd> => {
    const own = ['--root', join(storage, 'root'), '--runroot', join(storage, 'run')];
    return await runProgram({ command: [program, ...own, ...args], environment, signal, onLine: tell });
  };

  /** The ids that a query prints, one a line; none where it fails. */
  const ids = async (session: Session, ...query: readonly string[]): Promise<readonly string[]> => {
    const { code, lines } = await call(session, query);
    return code === 0 ? lines.filter((line) => /^(sha256:)?[0-9a-f]{12,64}$/.test(line)) : [];
  };

  /** Containers of builds that were killed; the storage's lock says that none is under way. */
  const sweep = async (session: Session): Promise<void> => {
    if (isBuildah) await call(session, ['rm', '--all']);
    else {
      const left = await ids(session, 'ps', '--all', '--external', '--quiet');
      if (left.length > 0) await call(session, ['rm', '--force', ...left]);
    }
  };

  const buildArguments = ({ contextFolder }: EngineRun, ignored: string | undefined): readonly string[] => {
    const { target, platform, epoch } = options;
    return [
      // Docker's format: OCI's has no place for HEALTHCHECK and SHELL.
      ...['build', '--layers', '--force-rm', '--format', 'docker', '--platform', formatPlatform(platform)],
      ...['--file', dockerfile, '--tag', image],
      ...(target === undefined ? [] : ['--target', target]),
      ...(epoch === undefined ? [] : ['--timestamp', String(epoch)]),
      ...Object.entries(options.buildArguments).flatMap(([name, value]) => [
        '--build-arg',
        `${name}=${value}`,
      ]),
      ...secretArguments(options.secrets),
      ...(ignored === undefined ? [] : ['--ignorefile', ignored]),
      contextFolder,
    ];
  };

  const build = async (session: Session): Promise<AsyncIterable<Uint8Array>> => {
    await sweep(session);
    const imageIds = () => ids(session, 'images', '--quiet', '--no-trunc', image);
    const before = await imageIds();
    const ignored = await writeIgnoreFile(options, session, join(session.folder, 'ignored'));
    const built = await call(session, buildArguments(session, ignored), tellUseful);
    if (built.code !== 0) throw podmanFailure(built.lines, session.text);
    const archive = join(session.folder, 'image.tar');
    const saved = await call(session, ['push', '--quiet', image, `docker-archive:${archive}`]);
    if (saved.code !== 0) throw podmanFailure(saved.lines, session.text);
    const now = await imageIds();
    const replaced = before.filter((id) => !now.includes(id));
    // The image before would only fill the agent's disk.
    if (replaced.length > 0) await call(session, ['rmi', ...replaced]);
    return createReadStream(archive);
  };

  const run = async (engineRun: EngineRun): Promise<AsyncIterable<Uint8Array>> => {
    const { folder } = engineRun;
    const logins = await writeLogins(join(folder, 'containers'), await options.logins());
    const registries = await writeRegistries(folder, options.environment, options.plainHosts);
    await makeFolder(storage);
    const environment = {
      ...options.environment,
      REGISTRY_AUTH_FILE: logins,
      CONTAINERS_REGISTRIES_CONF: registries,
    };
    const lock = { signal, onWait: () => onLine('Another build uses the storage; waiting for its end …') };
    return exclusively(join(storage, 'build.lock'), lock, () => build({ ...engineRun, environment }));
  };

  return { engine: 'podman', build: () => buildDockerfile(options, run) };
}
