import { basename } from 'node:path';
import { DeliveryError } from '../../errors.ts';
import type { RegistryClient } from '../../oci/client.ts';
import { formatBytes } from '../../report/format.ts';
import { runFailure } from '../acr/failure.ts';
import { followRun } from '../acr/follow.ts';
import type { RegistryTasks, TaskBuild, TaskRun } from '../acr/tasks.ts';
import { uploadContext } from '../acr/upload.ts';
import type { ImageBuilder } from '../builder.ts';
import { packContext } from '../docker/context.ts';
import type { ExportedImage } from '../docker/exported.ts';
import { readPushed } from '../docker/pushed.ts';
import { buildImageOf, type DockerfileBuild, type EngineRun } from './application.ts';

export interface AcrEngineOptions extends DockerfileBuild {
  readonly tasks: RegistryTasks;
  /** Of the same registry. */
  readonly client: RegistryClient;
  /** The image's own repository: what the run pushes need not move again. */
  readonly repository: string;
  /** The one tag that the application's image has until its digest is known. */
  readonly stagingTag: string;
  readonly timeoutSeconds: number;
  readonly agentPool?: string;
  /** Between two looks at the run, in milliseconds. */
  readonly pollMs?: number;
}

const keptLines = 200;
/** What `docker push` says last; the service does not always name the digest itself. */
const pushed = /^\S+: digest: (sha256:[0-9a-f]{64}) size: \d+$/;

/** Where a run stands: what must be ended when this step ends first. */
interface Started {
  readonly id: string;
  readonly lines: string[];
}

/**
 * Builds a Dockerfile by Azure Container Registry's Tasks: the context is uploaded, the run is followed, and the layers
 * that it has pushed are taken over by the image's digest. The context never holds the model. A run that is under way
 * when this step ends is cancelled.
 */
export function createAcrEngine(options: AcrEngineOptions): ImageBuilder {
  const { tasks, client, repository, stagingTag, signal, onLine } = options;

  const schedule = async (engineRun: EngineRun): Promise<string> => {
    const { dockerfile, target, buildArguments, platform, timeoutSeconds, agentPool } = options;
    const context = await packContext({ ...options, folder: engineRun.contextFolder });
    const place = await tasks.uploadPlace();
    const size = await uploadContext(place.url, context.archive, signal);
    onLine(`Context of ${basename(dockerfile)}: ${formatBytes(size)} uploaded to ACR Tasks`);
    const build: TaskBuild = {
      contextPath: place.path,
      dockerfile: context.dockerfile,
      imageName: `${repository}:${stagingTag}`,
      ...{ buildArguments, platform, timeoutSeconds },
      credentials: await options.logins(),
      ...(target === undefined ? {} : { target }),
      ...(agentPool === undefined ? {} : { agentPool }),
    };
    signal.throwIfAborted();
    return tasks.schedule(build);
  };

  const follow = async ({ id, lines }: Started): Promise<TaskRun> => {
    const { pollMs } = options;
    let over = false;
    try {
      signal.throwIfAborted();
      const run = await followRun(id, {
        ...{ tasks, signal },
        onLine: (line) => {
          lines.push(line);
          if (lines.length > keptLines) lines.shift();
          onLine(line);
        },
        ...(pollMs === undefined ? {} : { pollMs }),
      });
      over = true;
      return run;
    } catch (error) {
      signal.throwIfAborted();
      throw error;
    } finally {
      // Nothing waits for its image any more; a machine that goes on building costs money.
      if (!over) await tasks.cancel(id).catch(() => onLine(`ACR Tasks, run ${id} could not be cancelled`));
    }
  };

  const run = async (engineRun: EngineRun): Promise<ExportedImage> => {
    const started: Started = { id: await schedule(engineRun), lines: [] };
    const { id, lines } = started;
    const ended = await follow(started);
    const said = lines.findLast((line) => pushed.test(line));
    const digest = ended.imageDigest ?? pushed.exec(said ?? '')?.[1];
    const { timeoutSeconds, platform } = options;
    if (ended.status !== 'Succeeded') {
      const { registry } = tasks;
      throw runFailure({ id, registry, run: ended, lines, text: engineRun.text, timeoutSeconds });
    }
    if (digest === undefined) throw withoutDigest(id);
    const image = await readPushed(client, repository, digest, platform);
    // By its digest it is known now. Who may not delete tags leaves this one, which the next run moves.
    await client.removeTag(repository, stagingTag).catch(() => undefined);
    return image;
  };

  return { engine: 'acr', build: () => buildImageOf(options, run) };
}

function withoutDigest(id: string): DeliveryError {
  return new DeliveryError({
    code: 'ACR_RUN_FAILED',
    side: 'engine',
    message: `Run ${id} of Azure Container Registry's Tasks succeeded, but does not say which image it has pushed.`,
    remedy: "Run again; if it repeats, use another 'engine'.",
  });
}
