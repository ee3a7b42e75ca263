import { DeliveryError } from '../../src/errors.ts';
import type { Host } from '../../src/host/host.ts';
import type { KubeClient } from '../../src/kube/api/client.ts';
import { describe, type KubeObject, refOf } from '../../src/kube/objects/objects.ts';
import { heldState, readHeld, recordOf, withSnapshots, writeHeld } from '../../src/kube/stages/heldRecord.ts';
import type { DeployInputs } from './inputs.ts';
import type { Changes, Plan } from './planned.ts';

/** The changes with the state before a held release; without it where its record is lost: a new release goes on all the same. */
async function knowingFormer(
  changes: Changes,
  workload: KubeObject,
  client: KubeClient,
  host: Host,
): Promise<Changes> {
  try {
    const record = await readHeld(client, workload, host.cancelled);
    host.log.info(
      `A release of ${record.trace.image} is held (${heldState(workload)}); what it replaces is still known`,
    );
    return withSnapshots(changes, record);
  } catch (error) {
    if (!(error instanceof DeliveryError) || error.code !== 'HELD_RECORD_LOST') throw error;
    host.log.warning(
      `The record of the release that is held on ${describe(refOf(workload))} is lost: should this release fail, the held one comes back, and not the one before it.`,
    );
    return changes;
  }
}

/**
 * The changes of a release that may be held, with what to put back when a held one went before; with
 * 'holdForPromotion' that is recorded before anything is changed.
 */
export async function holdable(
  made: Plan,
  inputs: DeployInputs,
  client: KubeClient,
  host: Host,
): Promise<Changes> {
  const index = made.changes.findIndex(
    (change) => change.manifest.runsImage && change.planned.kind === 'Deployment',
  );
  const workload = made.changes[index];
  if (workload === undefined || !made.isChanged) return made.changes;
  let changes = made.changes;
  if (heldState(workload.live) !== undefined) {
    changes = await knowingFormer(changes, workload.live ?? workload.planned, client, host);
  }
  if (!inputs.hold) return changes;
  if (workload.action === 'create') {
    host.log.info('Nothing is held: there is no version before this first deployment.');
    return changes;
  }
  const { trace } = made;
  const record = recordOf(changes, { strategy: inputs.strategy.kind, trace, prune: inputs.prune });
  await writeHeld(client, workload.planned, record, host.cancelled);
  return changes;
}
