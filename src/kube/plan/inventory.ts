import { DeliveryError } from '../../errors.ts';
import type { Log } from '../../host/host.ts';
import type { KubeClient } from '../api/client.ts';
import type { Right } from '../api/right.ts';
import { describe, identity, isRecord, type KubeObject, type ObjectRef, refOf } from '../objects/objects.ts';
import { isOurs, removeObject } from './removal.ts';

/** Where a release keeps what it has applied. */
export interface InventoryName {
  readonly release: string;
  readonly namespace: string;
}

export interface Inventory {
  readonly recorded: readonly ObjectRef[];
  /** Recorded objects that the manifests no longer have, that still live, and that are still ours. */
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

async function departedObject(
  client: KubeClient,
  ref: ObjectRef,
  options: { readonly log: Log; readonly signal: AbortSignal },
): Promise<KubeObject[]> {
  const live = await client.get(ref, options.signal);
  if (live === undefined) return [];
  if (!neverPruned.includes(ref.kind) && isOurs(live)) return [live];
  const why = isOurs(live) ? 'its kind is never pruned' : 'it is managed by somebody else now';
  options.log.info(`${describe(ref)} left the manifests and stays: ${why}`);
  return [];
}

/** Reads what the release has applied before, and what of it would be pruned. Throws INVENTORY_INVALID. */
export async function readInventory(
  client: KubeClient,
  name: InventoryName,
  current: readonly KubeObject[],
  options: { readonly log: Log; readonly signal: AbortSignal },
): Promise<Inventory> {
  const found = await client.get(refOf(objectOf(name, [])), options.signal);
  const recorded = found === undefined ? [] : parse(found);
  const wanted = new Set(current.map((object) => identity(refOf(object))));
  const gone = recorded.filter((ref) => !wanted.has(identity(ref)));
  const departed = await Promise.all(gone.map((ref) => departedObject(client, ref, options)));
  return { recorded, departed: departed.flat() };
}

/** The rights that keeping an inventory needs. */
export function inventoryRights(namespace: string): Right[] {
  return ['get', 'create', 'patch'].map((verb) => ({
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
