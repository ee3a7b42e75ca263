import { setTimeout as sleep } from 'node:timers/promises';
import type { Pod } from 'kubernetes-types/core/v1.d.ts';
import type { Log } from '../../host/host.ts';
import type { Collection, KubeClient } from '../api/client.ts';
import { eventsAbout } from '../api/events.ts';
import { type Seen, type WatchUntilOptions, watchUntil } from '../api/watchUntil.ts';
import { describe, isRecord, type KubeObject, refOf } from '../objects/objects.ts';
import { largestOf, type Quantities } from '../objects/quantities.ts';
import { isRefusedForGood, scaleUpOf, unschedulable } from './noNode.ts';
import { type RolloutProblem, refusedProblem } from './rollout.ts';

const checkMs = 5000;
/** An autoscaler looks for such pods every ten seconds; one that has said nothing for so long is not there. */
const silenceMs = 60_000;
/** The controller has tried again within this time, and former pods have ended. */
const refusalMs = 30_000;

/** A workload under way with its new pods. */
export interface Waiting {
  readonly workload: KubeObject;
  readonly pods: readonly Pod[];
  /** Why no more of them are created now, where that may pass. */
  readonly refusal: string | undefined;
}

/** A workload with a pod that no quota or node will take, however long one waits. */
export interface Hopeless {
  readonly workload: KubeObject;
  readonly problem: RolloutProblem;
}

interface Hoping {
  readonly client: KubeClient;
  readonly log: Log;
  readonly signal: AbortSignal;
  /** When each pod, or a workload's pods, were first seen to be refused. */
  readonly since: Map<string, number>;
  readonly told: Set<KubeObject>;
}

/** The most of each resource that a node has; undefined where nodes may not be listed. */
async function largestNode({ client, signal }: Hoping): Promise<Quantities | undefined> {
  const nodes = { apiVersion: 'v1', kind: 'Node', namespace: '' };
  const list = await client.list(nodes, signal).catch(() => undefined);
  return list === undefined ? undefined : largestOf(list.items.map(({ status }) => offerOf(status)));
}

function offerOf(status: unknown): Record<string, unknown> {
  const allocatable = isRecord(status) ? status['allocatable'] : undefined;
  return isRecord(allocatable) ? allocatable : {};
}

function eventsOf(pod: Pod, { client, signal }: Hoping): Promise<readonly KubeObject[] | undefined> {
  const { name = '', namespace = 'default' } = pod.metadata ?? {};
  return eventsAbout(client, { kind: 'Pod', name, namespace }, signal).catch(() => undefined);
}

/** Milliseconds for which something is known to be so, from the first time it is asked. */
function age(key: string, { since }: Hoping): number {
  const now = performance.now();
  const first = since.get(key) ?? now;
  since.set(key, first);
  return now - first;
}

/** A refusal that lasts: former pods have ended by now. */
function lastingRefusal({ workload, refusal }: Waiting, hoping: Hoping): Hopeless | undefined {
  const key = describe(refOf(workload));
  if (refusal === undefined) hoping.since.delete(key);
  else if (age(key, hoping) >= refusalMs) return { workload, problem: refusedProblem(refusal) };
  return undefined;
}

async function judgeNodes({ workload, pods }: Waiting, hoping: Hoping): Promise<Hopeless | undefined> {
  const refused = pods.filter((pod) => unschedulable(pod) !== undefined);
  const largest = refused.length === 0 ? undefined : await largestNode(hoping);
  const pod = refused.find((one) => isRefusedForGood(one, largest));
  const events = pod === undefined ? undefined : await eventsOf(pod, hoping);
  if (pod === undefined || events === undefined) return undefined;
  const { told, log } = hoping;
  const refusedMs = age(pod.metadata?.uid ?? '', hoping);
  const scaleUp = scaleUpOf(events);
  if (scaleUp === 'coming' && !told.has(workload)) {
    told.add(workload);
    log.info(`${describe(refOf(workload))}: a node is being added for its pods`);
  }
  const isLost = scaleUp === 'refused' || (scaleUp === 'silent' && refusedMs >= silenceMs);
  if (!isLost) return undefined;
  const who = scaleUp === 'refused' ? 'and the autoscaler has none to add' : 'and none is being added';
  const message = `no node of the cluster can take the pod, ${who}: ${unschedulable(pod) ?? ''}`;
  return { workload, problem: { kind: 'scheduling', message, pod } };
}

async function nextHopeless(waiting: () => readonly Waiting[], hoping: Hoping): Promise<Hopeless> {
  for (;;) {
    await sleep(checkMs, undefined, { signal: hoping.signal });
    for (const one of waiting()) {
      const hopeless = lastingRefusal(one, hoping) ?? (await judgeNodes(one, hoping));
      if (hopeless !== undefined) return hopeless;
    }
  }
}

/**
 * {@link watchUntil} that ends too when a quota goes on refusing the pods of what is waited for, or one of them will never
 * find a node: the nodes lack what it asks for, and no autoscaler adds one that has it. A node that is being added is
 * waited for.
 */
export async function watchHoping<T>(
  client: KubeClient,
  collections: readonly Collection[],
  options: WatchUntilOptions & { readonly log: Log },
  look: (seen: Seen) => T | undefined,
  waiting: () => readonly Waiting[],
): Promise<{ readonly answer?: T | undefined; readonly seen?: Seen; readonly hopeless?: Hopeless }> {
  const stop = new AbortController();
  const signal = AbortSignal.any([options.signal, stop.signal]);
  const hoping = {
    client,
    log: options.log,
    signal,
    since: new Map<string, number>(),
    told: new Set<KubeObject>(),
  };
  const lost = nextHopeless(waiting, hoping).then((hopeless) => ({ hopeless }));
  const watched = watchUntil(client, collections, { ...options, signal }, look);
  // Whichever is stopped rejects, and nobody waits for it.
  lost.catch(() => undefined);
  watched.catch(() => undefined);
  try {
    return await Promise.race([watched, lost]);
  } finally {
    stop.abort();
  }
}
