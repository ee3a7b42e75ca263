import { ensureSystemPackages } from '../../local/services/packages.ts';
import { startNginx } from '../../tests/support/nginx.ts';
import { hold, type Outcome, reportOf } from '../contest.ts';
import { usage } from '../measure.ts';
import type { BenchOptions } from '../options.ts';
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
function fetchModel(bundle: string, folder: string): Fetcher {
  return {
    name: 'FetchModel',
    check: checkTask,
    command: async ({ server, model, target }) =>
      taskCommand({ bundle, folder, inputs: { ...server.inputs(model), targetFolder: target } }),
  };
}

interface Contests {
  readonly servers: readonly ModelServer[];
  readonly models: readonly ModelCase[];
  readonly fetchers: readonly Fetcher[];
  readonly sdk: readonly Fetcher[];
  readonly rounds: number;
}

async function holdAll(room: Room, { servers, models, fetchers, sdk, rounds }: Contests): Promise<Outcome[]> {
  const outcomes: Outcome[] = [];
  for (const model of models) {
    for (const server of servers) {
      const taking = server.containerUrl === undefined ? fetchers : [...fetchers, ...sdk];
      outcomes.push(
        await hold(room.context, {
          title: `${model.title} from ${server.name}`,
          metrics: [usage.time, usage.cpu, usage.peak],
          contestants: taking.map((fetcher) => contestant(room, server, model, fetcher)),
          rounds,
        }),
      );
    }
  }
  return outcomes;
}

/** FetchModel beside curl, aria2c, rclone and the Azure SDK: whole processes, from servers on this machine. */
export function benchFetch(options: BenchOptions): Promise<Report> {
  return withRoom(async (room) => {
    await ensureSystemPackages(room.context, peerPackages);
    const models = modelCases(options);
    const bundle = await bundled(room, 'FetchModel');
    const nginx = await startNginx('autoindex on;');
    try {
      for (const model of models) await writeModel(nginx.folder, model);
      const servers = [await webServer(nginx, models), await azurite(room, nginx.folder, models)];
      const fetchers = [fetchModel(bundle, room.folder), ...peers];
      const sdk = await sdkFetchers(room);
      const rounds = options.rounds ?? 5;
      return reportOf(await holdAll(room, { servers, models, fetchers, sdk, rounds }));
    } finally {
      await nginx.close();
    }
  });
}
