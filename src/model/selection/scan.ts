import type { ModelStore } from '../store.ts';
import { compareNatural } from './order.ts';
import type { Candidate, Version } from './types.ts';
import { type VersionBuilder, type VersionRules, versionBuilder } from './version.ts';

/** What lies below a model: the version whose newest file is newest, and the files that are in no version. */
export interface Scan {
  readonly newest: Version | undefined;
  /** Best first. */
  readonly candidates: readonly Candidate[];
  readonly considered: number;
  /** Versions that do not count yet, with the reason; some of them. */
  readonly unready: readonly string[];
  readonly flat: VersionBuilder;
}

/** As many candidates as are remembered while the listing goes by. */
const candidatesKept = 20;

/** Newest first; versions written in the same second by natural order of their names, highest first. */
function byNewest(a: Candidate, b: Candidate): number {
  return (b.newest?.getTime() ?? 0) - (a.newest?.getTime() ?? 0) || compareNatural(b.version, a.version);
}

/** Keeps the best of a stream of versions: one version's files and a few candidates at a time. */
class Leaderboard {
  candidates: Candidate[] = [];
  best: Version | undefined;
  considered = 0;
  readonly unready: string[] = [];

  enter(name: string, builder: VersionBuilder): void {
    if (builder.isEmpty) return;
    const reason = builder.unready();
    if (reason !== undefined) {
      if (this.unready.length < candidatesKept)
        this.unready.push(`Version '${name}' does not count: ${reason}.`);
      return;
    }
    this.considered += 1;
    this.candidates.push(builder.candidate(name));
    this.candidates.sort(byNewest);
    if (this.candidates[0]?.version === name) this.best = builder.version(name);
    this.candidates.length = Math.min(this.candidates.length, candidatesKept);
  }
}

/**
 * Lists everything below `<model>/` once. Names ascend, so a version's files come in one run, and memory
 * holds the best version, the present one and the flat files, however many versions there are.
 */
export async function scanModel(
  store: ModelStore,
  model: string,
  rules: VersionRules,
  signal: AbortSignal,
): Promise<Scan> {
  const prefix = `${model}/`;
  const board = new Leaderboard();
  const flat = versionBuilder(rules);
  let current: { name: string; builder: VersionBuilder } | undefined;
  for await (const stored of store.list(prefix, signal)) {
    const rest = stored.name.slice(prefix.length);
    const slash = rest.indexOf('/');
    if (slash < 0) {
      flat.add(rest, stored);
      continue;
    }
    const name = rest.slice(0, slash);
    if (current?.name !== name) {
      if (current !== undefined) board.enter(current.name, current.builder);
      current = { name, builder: versionBuilder(rules) };
    }
    current.builder.add(rest.slice(slash + 1), stored);
  }
  if (current !== undefined) board.enter(current.name, current.builder);
  const { best, candidates, considered, unready } = board;
  return { newest: best, candidates, considered, unready, flat };
}

/** All files of one version, from one listing of its folder. */
export async function scanVersion(
  store: ModelStore,
  model: string,
  version: string,
  rules: VersionRules,
  signal: AbortSignal,
): Promise<VersionBuilder> {
  const prefix = `${model}/${version}/`;
  const builder = versionBuilder(rules);
  for await (const stored of store.list(prefix, signal))
    builder.add(stored.name.slice(prefix.length), stored);
  return builder;
}
