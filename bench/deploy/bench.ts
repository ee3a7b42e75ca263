import { startServices } from '../../local/services/index.ts';
import { pushWebImages } from '../../tests/support/webImage.ts';
import { type Contestant, hold, type Outcome, reportOf } from '../contest.ts';
import { usage } from '../measure.ts';
import { type BenchOptions, isWanted } from '../options.ts';
import type { Report } from '../report.ts';
import { type Room, withRoom } from '../room.ts';
import { bundled } from '../task.ts';
import { kubectl, kubectlBinary, kubectlKinds } from './kubectl.ts';
import { requests } from './metrics.ts';
import { newTarget, type Site } from './target.ts';
import { deployToAks } from './task.ts';

const repository = 'bench/web';
const counts = [1, 20, 100];

async function openSite({ context }: Room): Promise<Site> {
  const { cluster, registry } = await startServices(context, ['cluster']);
  if (cluster === undefined || registry === undefined) throw new Error('The local cluster did not start.');
  const web = { tag: '1', modelVersion: 'v1', created: '2026-01-01T00:00:00Z' };
  const [digest] = await pushWebImages(registry, repository, [web]);
  return { cluster, registry, image: `${registry.host}/${repository}@${digest}` };
}

/** Each has a namespace of its own, where everything already runs when the first round begins. */
async function deployed(room: Room, site: Site, count: number): Promise<Contestant[]> {
  const bundle = await bundled(room, 'DeployToAks');
  const binary = await kubectlBinary(room);
  const own = await newTarget(room, site, count);
  const others = await Promise.all(
    kubectlKinds.map(async (kind) => ({ kind, target: await newTarget(room, site, count) })),
  );
  const contestants = [
    deployToAks(room, bundle, own),
    ...others.map(({ kind, target }) => kubectl(room, binary, target, kind)),
  ];
  for (const { run } of contestants) await run(0);
  return contestants;
}

/** The no-op night: everything already runs as it should; DeployToAks beside kubectl on the local cluster. */
export function benchDeploy(options: BenchOptions): Promise<Report> {
  return withRoom(options, async (room) => {
    const site = await openSite(room);
    const outcomes: Outcome[] = [];
    for (const count of counts) {
      const title = `Nothing new, ${count} ${count === 1 ? 'object' : 'objects'}`;
      if (!isWanted(options, title)) continue;
      outcomes.push(
        await hold(room.context, {
          title,
          metrics: [usage.time, usage.cpu, usage.peak, requests],
          contestants: await deployed(room, site, count),
          rounds: options.rounds ?? 7,
        }),
      );
    }
    return reportOf(outcomes);
  });
}
