import { grouped } from '../../grouped.ts';
import type { Log } from '../../host/host.ts';
import type { Collection, KubeClient } from '../api/client.ts';
import type { Seen } from '../api/watchUntil.ts';
import { describe, identity, type KubeObject, refOf } from '../objects/objects.ts';
import { workloadState } from '../objects/workloadState.ts';
import { type Hopeless, type Waiting, watchHoping } from './hope.ts';
import {
  collections,
  deadlineProblem,
  outcomeOf,
  passingRefusal,
  podsUnderWay,
  progressLine,
  type RolloutOutcome,
  type View,
} from './rollout.ts';

export interface RolloutsOptions {
  readonly client: KubeClient;
  readonly log: Log;
  /** Milliseconds from now, for all together. */
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
  /** What ends it: the end of every rollout, or the first failure of one. */
  readonly until: 'all' | 'first failure';
}

/** More workloads than this are told of by one line for all: their own lines would be a thousand. */
const tellEach = 20;
const summaryMs = 3000;

/** A rollout under way. */
interface Pending {
  readonly workload: KubeObject;
  /** What was seen of it last: nothing is worked out anew while these objects are the same. */
  seen: readonly (KubeObject | undefined)[];
  view: View;
}

/**
 * What is watched of these workloads. One alone in its namespace is watched by its name and labels; of several, all
 * objects of a kind and namespace are, by one watch: two or three for each of a thousand would be too many.
 */
export function sharedCollections(workloads: readonly KubeObject[]): Collection[] {
  const places = grouped(workloads, ({ metadata }) => metadata.namespace ?? 'default');
  return [...places.values()].flatMap((together) => {
    const narrow = together.flatMap(collections);
    if (together.length === 1) return narrow;
    const wide = narrow.map(({ apiVersion, kind, namespace }) => ({ apiVersion, kind, namespace }));
    return [...new Map(wide.map((one) => [`${one.apiVersion} ${one.kind}`, one])).values()];
  });
}

/** The watched objects, found by their name and by their owner. */
interface Index {
  readonly named: ReadonlyMap<string, KubeObject>;
  readonly owned: ReadonlyMap<string | undefined, readonly KubeObject[]>;
}

function controllerOf({ metadata }: KubeObject): string | undefined {
  return metadata.ownerReferences?.find(({ controller }) => controller === true)?.uid;
}

function indexOf(seen: Seen): Index {
  const all = seen.flat();
  const owned = grouped(all, controllerOf);
  return { named: new Map(all.map((object) => [identity(refOf(object)), object])), owned };
}

/** What is seen of one workload: its pods are those that it or its ReplicaSets own. */
function viewOf(workload: KubeObject, { named, owned }: Index): View {
  const live = named.get(identity(refOf(workload)));
  const own = live === undefined ? [] : (owned.get(live.metadata.uid) ?? []);
  const replicaSets = own.filter(({ kind }) => kind === 'ReplicaSet');
  const pods = [...own, ...replicaSets.flatMap(({ metadata }) => owned.get(metadata.uid) ?? [])];
  return { workload: live, replicaSets, pods: pods.filter(({ kind }) => kind === 'Pod') };
}

/** True when something of the rollout has changed since it was looked at last. */
function hasChanged(one: Pending, view: View): boolean {
  const seen = [view.workload, ...view.replicaSets, ...view.pods];
  const isSame = seen.length === one.seen.length && seen.every((object, at) => object === one.seen[at]);
  one.seen = seen;
  one.view = view;
  return !isSame;
}

/** Says how far the rollouts have come: each one's line when it changes, or a line for all now and then. */
function teller(total: number, log: Log): { each(one: Pending): void; all(ended: number): void } {
  const lines = new Map<KubeObject, string>();
  let toldAt = performance.now();
  return {
    each({ workload, view }) {
      if (total > tellEach) return;
      const line = progressLine(view);
      if (line !== lines.get(workload)) log.info(`${describe(refOf(workload))}: ${line}`);
      lines.set(workload, line);
    },
    all(ended) {
      if (total <= tellEach || (ended < total && performance.now() - toldAt < summaryMs)) return;
      toldAt = performance.now();
      log.info(`${ended} of ${total} workloads have rolled out`);
    },
  };
}

/**
 * Watches workloads until every wanted pod of each one's newest template is available, a reason shows that ends all
 * hope, or the time is over: the outcomes in the workloads' order, of those that have ended. Throws only when the
 * cluster cannot be watched, or the signal is aborted.
 */
export async function watchRollouts(
  workloads: readonly KubeObject[],
  options: RolloutsOptions,
): Promise<RolloutOutcome[]> {
  const outcomes = new Map<KubeObject, RolloutOutcome>();
  for (const workload of workloads) {
    if (workloadState(workload).complete) outcomes.set(workload, { state: 'complete', workload });
  }
  const unseen = { workload: undefined, replicaSets: [], pods: [] };
  const pending = new Map(
    workloads
      .filter((workload) => !outcomes.has(workload))
      .map((workload): [KubeObject, Pending] => [workload, { workload, seen: [], view: unseen }]),
  );
  const endsAt = performance.now() + options.timeoutMs;
  if (pending.size > 0) await watchPending(pending, outcomes, { ...options, endsAt });
  return workloads.flatMap((workload) => outcomes.get(workload) ?? []);
}

/** A workload has failed whose pods find no room; what is left of the time goes on for the others. */
async function giveUp(
  { workload, problem }: Hopeless,
  pending: Map<KubeObject, Pending>,
  outcomes: Map<KubeObject, RolloutOutcome>,
  options: RolloutsOptions & { readonly endsAt: number },
): Promise<void> {
  const live = pending.get(workload)?.view.workload ?? workload;
  outcomes.set(workload, { state: 'failed', workload: live, problem });
  pending.delete(workload);
  if (options.until === 'first failure' || pending.size === 0) return;
  await watchPending(pending, outcomes, options);
}

/** Moves what ends from `pending` to `outcomes`. */
async function watchPending(
  pending: Map<KubeObject, Pending>,
  outcomes: Map<KubeObject, RolloutOutcome>,
  options: RolloutsOptions & { readonly endsAt: number },
): Promise<void> {
  const timeoutMs = Math.max(0, options.endsAt - performance.now());
  const total = pending.size;
  const tell = teller(total, options.log);
  const look = (seen: Seen): true | undefined => {
    const index = indexOf(seen);
    for (const one of pending.values()) {
      if (!hasChanged(one, viewOf(one.workload, index))) continue;
      tell.each(one);
      const outcome = outcomeOf(one.view, one.workload);
      if (outcome === undefined) continue;
      pending.delete(one.workload);
      outcomes.set(one.workload, outcome);
      if (outcome.state === 'failed' && options.until === 'first failure') return true;
    }
    tell.all(total - pending.size);
    return pending.size === 0 ? true : undefined;
  };
  const watched = sharedCollections([...pending.keys()]);
  const waiting = (): Waiting[] =>
    [...pending.values()].map(({ workload, view }) => ({
      workload,
      pods: podsUnderWay(view),
      refusal: passingRefusal(view),
    }));
  const { answer, hopeless } = await watchHoping(
    options.client,
    watched,
    { ...options, timeoutMs },
    look,
    waiting,
  );
  if (answer === true) return;
  if (hopeless !== undefined) return giveUp(hopeless, pending, outcomes, options);
  const seconds = Math.round(options.timeoutMs / 1000);
  for (const { workload, view } of pending.values()) {
    const problem = deadlineProblem(view, seconds);
    outcomes.set(workload, { state: 'failed', workload: view.workload ?? workload, problem });
  }
}
