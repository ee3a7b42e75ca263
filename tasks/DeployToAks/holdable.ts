import type { Host } from '../../src/host/host.ts';
import type { KubeClient } from '../../src/kube/api/client.ts';
import { heldState, readHeld, recordOf, withSnapshots, writeHeld } from '../../src/kube/stages/heldRecord.ts';
import type { DeployInputs } from './inputs.ts';
import type { Changes, Plan } from './planned.ts';

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
  const state = heldState(workload.live);
  let changes = made.changes;
  if (state !== undefined) {
    const record = await readHeld(client, workload.planned, host.cancelled);
    changes = withSnapshots(changes, record);
    host.log.info(`A release of ${record.trace.image} is held (${state}); what it replaces is still known`);
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
