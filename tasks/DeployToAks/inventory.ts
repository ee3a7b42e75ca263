import type { Host } from '../../src/host/host.ts';
import type { KubeClient } from '../../src/kube/api/client.ts';
import { describe, identity, type ObjectRef, refOf } from '../../src/kube/objects/objects.ts';
import { prune, readInventory, recordInventory } from '../../src/kube/plan/inventory.ts';
import type { SharedInputs } from './inputs.ts';
import type { Changes, NamedInventory, Plan } from './planned.ts';

/** The release's name: that of the workload that runs the image. */
export function releaseOf(changes: Changes): string {
  return changes.find((change) => change.manifest.runsImage)?.planned.metadata.name ?? 'release';
}

/** Reads what the release has applied before, and tells what would be pruned. */
export async function openInventory(
  client: KubeClient,
  changes: Changes,
  namespace: string,
  host: Host,
): Promise<NamedInventory> {
  const name = { release: releaseOf(changes), namespace };
  const planned = changes.map((change) => change.planned);
  const options = { log: host.log, signal: host.cancelled };
  const inventory = await readInventory(client, name, planned, options);
  for (const object of inventory.departed) host.log.info(`To be pruned: ${describe(refOf(object))}`);
  return { ...inventory, name };
}

/** Records what is about to be applied, so that a run that is killed leaves nothing unknown behind. */
export async function record(
  made: Plan,
  client: KubeClient,
  signal: AbortSignal,
): Promise<readonly ObjectRef[]> {
  const { inventory } = made;
  if (inventory === undefined) return [];
  const refs = made.changes.map((change) => refOf(change.planned));
  const known = new Set(inventory.recorded.map(identity));
  if (refs.every((ref) => known.has(identity(ref)))) return inventory.recorded;
  return recordInventory(client, inventory.name, [...inventory.recorded, ...refs], signal);
}

/** What left is removed once the new state is verified: a release that fails has lost nothing. */
export async function pruneDeparted(
  made: Plan,
  known: readonly ObjectRef[],
  { rolloutTimeoutMs: timeoutMs }: SharedInputs,
  client: KubeClient,
  host: Host,
): Promise<void> {
  const { inventory } = made;
  if (inventory === undefined) return;
  await prune(inventory.departed, { client, log: host.log, timeoutMs, signal: host.cancelled });
  const refs = made.changes.map((change) => refOf(change.planned));
  if (known.length > refs.length) await recordInventory(client, inventory.name, refs, host.cancelled);
}
