import { startServices } from '../../local/services/index.ts';
import { kubectlBinary } from '../../local/toolchain/kubectl.ts';
import { helmBinary } from '../../tests/support/renderTools.ts';
import { pushWebImages } from '../../tests/support/webImage.ts';
import { type Contestant, hold, type Outcome, reportOf } from '../contest.ts';
import { usage } from '../measure.ts';
import { type BenchOptions, isWanted } from '../options.ts';
import type { Report, Sample } from '../report.ts';
import { type Room, withRoom } from '../room.ts';
import { bundled } from '../task.ts';
import { countRequests } from './countingProxy.ts';
import { helm } from './helm.ts';
import { kubectl, kubectlKinds } from './kubectl.ts';
import { overhead, requests } from './metrics.ts';
import { timeReadiness } from './readiness.ts';
import { scale } from './scale.ts';
import { newTarget, type Site, type Target } from './target.ts';
import { deployToAks } from './task.ts';

const repository = 'bench/web';
const counts = [1, 20, 100];

/** Deploys what a target holds. */
interface Deployer {
  readonly name: string;
  readonly deploy: (target: Target) => Promise<Sample>;
}

async function openSite({ context }: Room): Promise<Site> {
  const { cluster, registry } = await startServices(context, ['cluster']);
  if (cluster === undefined || registry === undefined) throw new Error('The local cluster did not start.');
  const image = (tag: string) => ({ tag, modelVersion: `v${tag}`, created: '2026-01-01T00:00:00Z' });
  const [first, second] = await pushWebImages(registry, repository, [image('1'), image('2')]);
  const name = `${registry.host}/${repository}`;
  return { cluster, registry, images: [`${name}@${first}`, `${name}@${second}`] };
}

async function deployers(room: Room): Promise<Deployer[]> {
  const bundle = await bundled(room, 'DeployToAks');
  const binary = await kubectlBinary(room.context);
  const chartTool = await helmBinary(room.context);
  return [
    { name: 'DeployToAks', deploy: (target) => deployToAks(room, bundle, target) },
    ...kubectlKinds.map((kind) => ({
      name: kind.name,
      deploy: (target: Target) => kubectl(room, binary, target, kind),
    })),
    { name: 'helm upgrade --install --wait', deploy: (target) => helm(chartTool, target) },
  ];
}

/** Has deployed already when the first round begins; then the same again and again. */
async function unchanged(
  room: Room,
  site: Site,
  count: number,
  { name, deploy }: Deployer,
): Promise<Contestant> {
  const target = await newTarget(room, site, count);
  await deploy(target);
  const sent = await countRequests(target, deploy);
  return { name, run: async () => ({ ...(await deploy(target)), [requests.name]: sent }) };
}

async function timed(target: Target, deploy: Deployer['deploy']): Promise<Sample> {
  const watching = new AbortController();
  const readiness = timeReadiness(target.client, target.namespace, target.image, watching.signal);
  try {
    const [sample, readyMs] = await Promise.all([deploy(target), readiness]);
    const time = sample[usage.time.name] ?? Number.NaN;
    return { ...sample, [overhead.name]: time - readyMs / 1000 };
  } finally {
    watching.abort();
  }
}

/** Has deployed already when the first round begins; then a release each round in which every object changes. */
async function released(
  room: Room,
  site: Site,
  count: number,
  { name, deploy }: Deployer,
): Promise<Contestant> {
  let target = await newTarget(room, site, count);
  await deploy(target);
  target = await target.next();
  const sent = await countRequests(target, deploy);
  return {
    name,
    async run() {
      target = await target.next();
      return { ...(await timed(target, deploy)), [requests.name]: sent };
    },
  };
}

const kinds = [
  { title: 'Nothing new', metrics: [usage.time, usage.cpu, usage.peak, requests], prepare: unchanged },
  {
    title: 'A release that changes',
    metrics: [usage.time, overhead, usage.cpu, usage.peak, requests],
    prepare: released,
  },
] as const;

const many = 'Many workloads, watched to the end';

/** Contests of one kind, a number of objects after the other. */
async function holdAll(room: Room, site: Site, options: BenchOptions): Promise<Outcome[]> {
  const all = await deployers(room);
  const outcomes: Outcome[] = [];
  for (const { title: what, metrics, prepare } of kinds) {
    for (const count of counts) {
      const title = `${what}, ${count} ${count === 1 ? 'object' : 'objects'}`;
      if (!isWanted(options, title)) continue;
      const contestants = await Promise.all(all.map((one) => prepare(room, site, count, one)));
      const rounds = options.rounds ?? 5;
      outcomes.push(await hold(room.context, { title, metrics, contestants, rounds }));
    }
  }
  return outcomes;
}

/** The no-op night, a release, and many workloads; DeployToAks beside kubectl and Helm on the local cluster. */
export function benchDeploy(options: BenchOptions): Promise<Report> {
  return withRoom(options, async (room) => {
    const site = await openSite(room);
    const outcomes = await holdAll(room, site, options);
    if (isWanted(options, many)) outcomes.push(await scale(room, site, many, options));
    return reportOf(outcomes);
  });
}
