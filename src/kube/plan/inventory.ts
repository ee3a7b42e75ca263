import { DeliveryError } from '../../errors.ts';
import type { Log } from '../../host/host.ts';
import type { KubeClient } from '../api/client.ts';
import type { Right } from '../api/right.ts';
import { ApiError } from '../api/statusError.ts';
import { describe, identity, isRecord, type KubeObject, type ObjectRef, refOf } from '../objects/objects.ts';
import { isOurs, removeObject } from './removal.ts';

/** Where a release keeps what it has applied. */
export interface InventoryName {
  readonly release: string;
  readonly namespace: string;
}

export interface Inventory {
  readonly recorded: readonly ObjectRef[];
  /** Recorded objects that the manifests no longer have, that still live, and that are still this release's alone. */
  readonly departed: readonly KubeObject[];
}

const label = 'model-delivery/inventory';
/** What holds others' objects or data is never pruned: taking it out of the manifests by mistake must cost nothing. */
const neverPruned = ['Namespace', 'CustomResourceDefinition', 'PersistentVolume', 'PersistentVolumeClaim'];

function objectOf(name: InventoryName, refs: readonly ObjectRef[]): KubeObject {
  const { release, namespace } = name;
  return {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name: `model-delivery-${release}`, namespace, labels: { [label]: 'true' } },
    data: { objects: JSON.stringify(refs) },
  };
}

function toRef(value: unknown): ObjectRef {
  if (isRecord(value)) {
    const { apiVersion, kind, name, namespace } = value;
    if (typeof apiVersion === 'string' && typeof kind === 'string' && typeof name === 'string') {
      return { apiVersion, kind, name, ...(typeof namespace === 'string' ? { namespace } : {}) };
    }
  }
  throw new Error('an entry names no object');
}

function parse(found: KubeObject): ObjectRef[] {
  try {
    const data = found['data'];
    const list: unknown = JSON.parse(isRecord(data) ? String(data['objects']) : '');
    if (!Array.isArray(list)) throw new Error('it is no list');
    return list.map(toRef);
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new DeliveryError({
      code: 'INVENTORY_INVALID',
      side: 'cluster',
      message: `${describe(refOf(found))}, the record of what this release applied, cannot be read: ${why}.`,
      remedy: 'Delete this ConfigMap: the next run writes it again, and objects that left before then stay.',
    });
  }
}

interface ReadOptions {
  readonly log: Log;
  readonly signal: AbortSignal;
}

/** Why an object that left the manifests is not to be removed; undefined where it is. */
function whyKept(live: KubeObject, others: Others): string | undefined {
  if (neverPruned.includes(live.kind)) return 'its kind is never pruned';
  if (!isOurs(live)) return 'it is managed by somebody else now';
  const release = others.owners.get(identity(refOf(live)));
  if (release !== undefined) return `it is part of ${release} too`;
  return others.unseen.has(live.metadata.namespace)
    ? `the releases that are recorded in namespace '${live.metadata.namespace}' may not be listed`
    : undefined;
}

/** What other releases apply. */
interface Others {
  /** Their records, by the objects in them. */
  readonly owners: ReadonlyMap<string, string>;
  /** Namespaces whose records this identity may not list. */
  readonly unseen: ReadonlySet<string | undefined>;
}

/** Reads what other releases have recorded in these namespaces. */
async function readOthers(
  client: KubeClient,
  own: KubeObject,
  namespaces: ReadonlySet<string>,
  signal: AbortSignal,
): Promise<Others> {
  const owners = new Map<string, string>();
  const unseen = new Set<string>();
  for (const namespace of namespaces) {
    const records = { apiVersion: 'v1', kind: 'ConfigMap', namespace, labelSelector: `${label}=true` };
    try {
      const { items } = await client.list(records, signal);
      for (const item of items) {
        const record = { ...item, apiVersion: 'v1', kind: 'ConfigMap' };
        if (identity(refOf(record)) === identity(refOf(own))) continue;
        for (const ref of parse(record)) owners.set(identity(ref), describe(refOf(record)));
      }
    } catch (error) {
      if (!(error instanceof ApiError && error.status === 403)) throw error;
      unseen.add(namespace);
    }
  }
  return { owners, unseen };
}

async function departedObjects(
  client: KubeClient,
  own: KubeObject,
  gone: readonly ObjectRef[],
  { log, signal }: ReadOptions,
): Promise<KubeObject[]> {
  const found = await Promise.all(gone.map((ref) => client.get(ref, signal)));
  const live = found.filter((object) => object !== undefined);
  if (live.length === 0) return [];
  const places = [own, ...live].flatMap(({ metadata }) => metadata.namespace ?? []);
  const others = await readOthers(client, own, new Set(places), signal);
  return live.filter((object) => {
    const why = whyKept(object, others);
    if (why !== undefined) log.info(`${describe(refOf(object))} left the manifests and stays: ${why}`);
    return why === undefined;
  });
}

/** Reads what the release has applied before, and what of it would be pruned. Throws INVENTORY_INVALID. */
export async function readInventory(
  client: KubeClient,
  name: InventoryName,
  current: readonly KubeObject[],
  options: ReadOptions,
): Promise<Inventory> {
  const own = objectOf(name, []);
  const found = await client.get(refOf(own), options.signal);
  const recorded = found === undefined ? [] : parse(found);
  const wanted = new Set(current.map((object) => identity(refOf(object))));
  const gone = recorded.filter((ref) => !wanted.has(identity(ref)));
  return { recorded, departed: await departedObjects(client, own, gone, options) };
}

/** The rights that keeping an inventory needs. */
export function inventoryRights(namespace: string): Right[] {
  return ['get', 'list', 'create', 'patch'].map((verb) => ({
    verb,
    group: '',
    resource: 'configmaps',
    namespace,
    required: true,
  }));
}

/** Records that these objects, each once, are the release's; gives what is recorded. */
export async function recordInventory(
  client: KubeClient,
  name: InventoryName,
  refs: readonly ObjectRef[],
  signal: AbortSignal,
): Promise<readonly ObjectRef[]> {
  const unique = [...new Map(refs.map((ref) => [identity(ref), ref])).values()];
  await client.apply(objectOf(name, unique), { dryRun: false, force: true }, signal);
  return unique;
}

export interface PruneOptions {
  readonly client: KubeClient;
  readonly log: Log;
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
}

/** Removes what has left the manifests, what came last first. */
export async function prune(departed: readonly KubeObject[], options: PruneOptions): Promise<void> {
  for (const live of [...departed].reverse()) await removeObject(live, options);
}
