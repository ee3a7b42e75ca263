import { ensureSystemPackages } from '../../local/services/packages.ts';
import { startNginx } from '../../tests/support/nginx.ts';
import { hold, type Outcome, reportOf } from '../contest.ts';
import { usage } from '../measure.ts';
import { type BenchOptions, isWanted } from '../options.ts';
import type { Report } from '../report.ts';
import { type Room, withRoom } from '../room.ts';
import { bundled, checkTask, taskCommand } from '../task.ts';
import { azurite } from './azurite.ts';
import { type ModelCase, modelCases, writeModel } from './cases.ts';
import { contestant, type Fetcher } from './job.ts';
import { peerPackages, peers } from './peers.ts';
import { sdkFetchers } from './sdk.ts';
import type { ModelServer } from './server.ts';
import { webServer } from './webServer.ts';

/** The packaged task with its defaults: SHA-256 of every byte, the scan of the files, the lock. */
function fetchModel(room: Room, bundle: string): Fetcher {
  return {
    name: 'FetchModel',
    check: checkTask,
    command: async ({ server, model, target }) =>
      taskCommand({ room, bundle, inputs: { ...server.inputs(model), targetFolder: target } }),
  };
}

interface Contests {
  readonly servers: readonly ModelServer[];
  readonly models: readonly ModelCase[];
  readonly fetchers: readonly Fetcher[];
  readonly sdk: readonly Fetcher[];
  readonly options: BenchOptions;
}

async function holdAll(
  room: Room,
  { servers, models, fetchers, sdk, options }: Contests,
): Promise<Outcome[]> {
  const outcomes: Outcome[] = [];
  for (const model of models) {
    for (const server of servers) {
      const title = `${model.title} from ${server.name}`;
      if (!isWanted(options, title)) continue;
      const taking = server.containerUrl === undefined ? fetchers : [...fetchers, ...sdk];
      outcomes.push(
        await hold(room.context, {
          title,
          metrics: [usage.time, usage.cpu, usage.peak],
          contestants: taking.map((fetcher) => contestant(room, server, model, fetcher)),
          rounds: options.rounds ?? 5,
        }),
      );
    }
  }
  return outcomes;
}

/** FetchModel beside curl, aria2c, rclone and the Azure SDK: whole processes, from servers on this machine. */
export function benchFetch(options: BenchOptions): Promise<Report> {
  return withRoom(options, async (room) => {
    await ensureSystemPackages(room.context, peerPackages);
    const models = modelCases(options);
    const bundle = await bundled(room, 'FetchModel');
    const nginx = await startNginx('autoindex on;');
    room.atEnd(nginx.close);
    for (const model of models) await writeModel(nginx.folder, model);
    const servers = [await webServer(nginx, models), await azurite(room, nginx.folder, models)];
    const fetchers = [fetchModel(room, bundle), ...peers];
    const sdk = await sdkFetchers(room);
    return reportOf(await holdAll(room, { servers, models, fetchers, sdk, options }));
  });
}
