import { ensureSystemPackages } from '../../local/services/packages.ts';
import { hold, type Outcome, reportOf } from '../contest.ts';
import { usage } from '../measure.ts';
import { type BenchOptions, isWanted } from '../options.ts';
import type { Report } from '../report.ts';
import { type Room, withRoom } from '../room.ts';
import { bundled, checkTask, taskCommand } from '../task.ts';
import { type ModelCase, modelCases } from './cases.ts';
import { contestant, type Fetcher } from './job.ts';
import { peerPackages, peers } from './peers.ts';
import { sdkFetchers } from './sdk.ts';
import type { ModelServer } from './server.ts';
import { type Servers, startServers } from './servers.ts';

/** The packaged task with its defaults: SHA-256 of every byte, the scan of the files, the lock. */
function fetchModel(room: Room, bundle: string): Fetcher {
  return {
    name: 'FetchModel',
    check: checkTask,
    async command({ server, model, target }) {
      const command = taskCommand({
        room,
        bundle,
        inputs: { ...server.inputs(model), targetFolder: target },
      });
      return { ...command, env: { ...command.env, ...server.environment } };
    },
  };
}

interface Pair {
  readonly model: ModelCase;
  readonly server: ModelServer;
}

/** Every model from every near server; over TLS, where bytes cost most, one; over a long way what there is time for. */
function pairsOf(models: readonly ModelCase[], { near, tls, far }: Servers): Pair[] {
  const pairs = (names: readonly string[], servers: readonly ModelServer[]): Pair[] =>
    models
      .filter(({ name }) => names.includes(name))
      .flatMap((model) => servers.map((server) => ({ model, server })));
  return [...pairs(['one', 'eight', 'many'], near), ...pairs(['one'], [tls]), ...pairs(['small'], [far])];
}

/** FetchModel beside curl, aria2c, rclone and the clouds' SDKs: whole processes, from servers on this machine. */
export function benchFetch(options: BenchOptions): Promise<Report> {
  return withRoom(options, async (room) => {
    await ensureSystemPackages(room.context, peerPackages);
    const models = modelCases(options);
    const task = fetchModel(room, await bundled(room, 'FetchModel'));
    const fetchers = [task, ...peers, ...(await sdkFetchers(room))];
    const outcomes: Outcome[] = [];
    for (const { model, server } of pairsOf(models, await startServers(room, models))) {
      const title = `${model.title} from ${server.name}`;
      if (!isWanted(options, title)) continue;
      const taking = fetchers.filter(({ suits }) => suits?.(server, model) ?? true);
      outcomes.push(
        await hold(room.context, {
          title,
          metrics: [usage.time, usage.cpu, usage.peak],
          contestants: taking.map((fetcher) => contestant(room, server, model, fetcher)),
          rounds: options.rounds ?? 3,
        }),
      );
    }
    return reportOf(outcomes);
  });
}
