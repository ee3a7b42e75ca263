import { ensureSystemPackages } from '../../local/services/packages.ts';
import { type Contestant, hold, type Outcome, reportOf } from '../contest.ts';
import { usage } from '../measure.ts';
import { type BenchOptions, isWanted, scaled } from '../options.ts';
import type { Report, Sample } from '../report.ts';
import { withRoom } from '../room.ts';
import { buildah } from './buildah.ts';
import { type Builder, counted, wireMetrics } from './builder.ts';
import { dockers } from './docker.ts';
import { floor } from './floor.ts';
import { checkOut, newModel, openSite, type Site, type Source } from './site.ts';
import { buildModelImage } from './task.ts';

const packages = [
  { name: 'buildah', purpose: 'a peer that BuildModelImage is compared with' },
  { name: 'crun', purpose: 'the runtime that buildah looks for' },
  { name: 'curl', purpose: 'the floor' },
];

/** One kind of run: what everyone builds in a round, and whether the agent is fresh. */
interface Case {
  readonly title: string;
  readonly isFresh: boolean;
  /** In a repository of the round's own, so that nothing is there yet; the others go on in the last of these. */
  readonly isCold?: boolean;
  readonly source: (round: number) => Promise<Source>;
  readonly builders: readonly Builder[];
}

/** A source a round, made once and shared by all. */
function each(make: (round: number) => Promise<Source>): (round: number) => Promise<Source> {
  const made = new Map<number, Promise<Source>>();
  return (round) => {
    const source = made.get(round) ?? make(round);
    made.set(round, source);
    return source;
  };
}

function contestant(site: Site, it: Case, builder: Builder, rounds: number): Contestant {
  const own = builder.name.replace(/[^a-z]+/gi, '-').toLowerCase();
  return {
    name: builder.name,
    async run(round) {
      const source = await it.source(round);
      if (it.isFresh) await builder.reset();
      const work = await checkOut(site, source);
      const repository = it.isCold ? `${own}/${round}` : `${own}/${rounds - 1}`;
      return counted(site, (): Promise<Sample> => builder.build(work, repository, 'latest'));
    },
  };
}

async function cases(site: Site, all: readonly Builder[], lower: Builder, rounds: number): Promise<Case[]> {
  const model = await newModel(site, '1.0');
  const code = (name: string) => async (round: number) => ({ model, version: `${name}-${round}` });
  // The application stays as the case before left it.
  const version = `fresh-${rounds - 1}`;
  const changed = each(async (round) => ({ model: await newModel(site, `2.${round}`), version }));
  const constant = async (): Promise<Source> => ({ model, version: 'first' });
  return [
    {
      title: 'Cold: nothing in the repository, fresh agent',
      isFresh: true,
      isCold: true,
      source: constant,
      builders: [...all, lower],
    },
    { title: 'Unchanged, same agent', isFresh: false, source: constant, builders: all },
    {
      title: 'Code changed, same agent',
      isFresh: false,
      source: code('warm'),
      builders: all,
    },
    {
      title: 'Code changed, fresh agent',
      isFresh: true,
      source: code('fresh'),
      builders: all,
    },
    { title: 'Model changed, same agent', isFresh: false, source: changed, builders: [...all, lower] },
  ];
}

async function holdAll(site: Site, options: BenchOptions): Promise<Outcome[]> {
  const all = [await buildModelImage(site), ...(await dockers(site)), await buildah(site)];
  const lower = await floor(site);
  const rounds = options.rounds ?? 3;
  const metrics = [usage.time, usage.cpu, usage.peak, wireMetrics.sent, wireMetrics.received];
  const outcomes: Outcome[] = [];
  for (const it of await cases(site, all, lower, rounds)) {
    if (!isWanted(options, it.title)) continue;
    outcomes.push(
      await hold(site.room.context, {
        ...{ title: it.title, metrics, rounds },
        contestants: it.builders.map((builder) => contestant(site, it, builder, rounds)),
      }),
    );
  }
  return outcomes;
}

/** BuildModelImage beside docker, BuildKit and buildah: a small application and a random model of 1 GiB. */
export function benchImage(options: BenchOptions): Promise<Report> {
  return withRoom(options, async (room) => {
    await ensureSystemPackages(room.context, packages);
    const site = await openSite(room, scaled(2 ** 30, options));
    return reportOf(await holdAll(site, options));
  });
}
