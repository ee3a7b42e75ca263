import { setTimeout as sleep } from 'node:timers/promises';
import type { Pod } from 'kubernetes-types/core/v1.d.ts';
import type { Log } from '../../host/host.ts';
import type { Collection, KubeClient } from '../api/client.ts';
import { eventsAbout } from '../api/events.ts';
import { type Seen, type WatchUntilOptions, watchUntil } from '../api/watchUntil.ts';
import { describe, isRecord, type KubeObject, refOf } from '../objects/objects.ts';
import { largestOf, type Quantities } from '../objects/quantities.ts';
import { isRefusedForGood, scaleUpOf, unschedulable } from './noNode.ts';
import type { RolloutProblem } from './rollout.ts';

const checkMs = 5000;
/** An autoscaler looks for such pods every ten seconds; one that has said nothing for so long is not there. */
const silenceMs = 60_000;

/** A workload under way with its new pods. */
export interface Waiting {
  readonly workload: KubeObject;
  readonly pods: readonly Pod[];
}

/** A workload with a pod that no node will take, however long one waits. */
export interface Hopeless {
  readonly workload: KubeObject;
  readonly problem: RolloutProblem;
}

interface Hoping {
  readonly client: KubeClient;
  readonly log: Log;
  readonly signal: AbortSignal;
  /** When each pod was first seen to be refused for good. */
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

async function judge({ workload, pods }: Waiting, hoping: Hoping): Promise<Hopeless | undefined> {
  const refused = pods.filter((pod) => unschedulable(pod) !== undefined);
  const largest = refused.length === 0 ? undefined : await largestNode(hoping);
  const pod = refused.find((one) => isRefusedForGood(one, largest));
  const events = pod === undefined ? undefined : await eventsOf(pod, hoping);
  if (pod === undefined || events === undefined) return undefined;
  const { since, told, log } = hoping;
  const key = pod.metadata?.uid ?? '';
  const firstSeen = since.get(key) ?? performance.now();
  since.set(key, firstSeen);
  const scaleUp = scaleUpOf(events);
  if (scaleUp === 'coming' && !told.has(workload)) {
    told.add(workload);
    log.info(`${describe(refOf(workload))}: a node is being added for its pods`);
  }
  const isLost =
    scaleUp === 'refused' || (scaleUp === 'silent' && performance.now() - firstSeen >= silenceMs);
  if (!isLost) return undefined;
  const who = scaleUp === 'refused' ? 'and the autoscaler has none to add' : 'and none is being added';
  const message = `no node of the cluster can take the pod, ${who}: ${unschedulable(pod) ?? ''}`;
  return { workload, problem: { kind: 'scheduling', message, pod } };
}

async function nextHopeless(waiting: () => readonly Waiting[], hoping: Hoping): Promise<Hopeless> {
  for (;;) {
    await sleep(checkMs, undefined, { signal: hoping.signal });
    for (const one of waiting()) {
      const hopeless = await judge(one, hoping);
      if (hopeless !== undefined) return hopeless;
    }
  }
}

/**
 * {@link watchUntil} that ends too when a pod of what is waited for will never find a node: the nodes lack what it asks
 * for, and no autoscaler adds one that has it. A node that is being added is waited for.
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
