import type { Host } from '../../src/host/host.ts';
import type { KubeClient } from '../../src/kube/api/client.ts';
import { reach } from '../../src/kube/gate/endpoint.ts';
import { findHeld, type Held, promotionOf, reject } from '../../src/kube/release/decision.ts';
import { release } from '../../src/kube/release/release.ts';
import { clearHeld } from '../../src/kube/stages/heldRecord.ts';
import type { Strategy } from '../../src/kube/stages/hold.ts';
import { openHeldCanary } from '../../src/kube/stages/weightedCanary.ts';
import type { DecisionInputs } from './inputs.ts';
import { openInventory, pruneDeparted } from './inventory.ts';
import { openLease } from './lease.ts';
import { isChangedBy } from './plan.ts';
import type { Plan } from './planned.ts';
import { report } from './report.ts';

async function promote(
  held: Held,
  made: Plan,
  inputs: DecisionInputs,
  client: KubeClient,
  host: Host,
): Promise<void> {
  const started = performance.now();
  const common = { ...inputs, client, log: host.log, signal: host.cancelled };
  const isSwitch = held.record.strategy === 'blueGreen';
  const strategy: Strategy = isSwitch ? { kind: 'blueGreen', keepMs: inputs.keepMs } : { kind: 'rolling' };
  const changes = isSwitch ? made.changes : await openHeldCanary(made.changes, common);
  const outcome = await release(changes, {
    ...common,
    hold: false,
    strategy,
    verify: (live) => reach(live, { ...common, isChanged: true }),
  });
  if (outcome.state === 'released') {
    await clearHeld(client, held.workload, host.cancelled);
    await pruneDeparted(made, made.inventory?.recorded ?? [], inputs, client, host);
  }
  report(made, outcome, { seconds: (performance.now() - started) / 1000 }, host);
}

/** Finishes a held release, or puts back what it was to replace. Either may be repeated. */
export async function decide(
  client: KubeClient,
  inputs: DecisionInputs,
  namespace: string,
  host: Host,
): Promise<void> {
  const { action, name, force, removeOnFailure, rolloutTimeoutMs: timeoutMs } = inputs;
  const common = { client, log: host.log, signal: host.cancelled, namespace };
  const options = { ...common, ...(name === undefined ? {} : { name }) };
  const held = await findHeld(action === 'promote' ? 'promoted' : 'rejected', options);
  host.output('held', 'false');
  if (held === undefined) {
    host.output('changed', 'false');
    return;
  }
  const { trace } = held.record;
  host.log.info(`Held: ${trace.image}`);
  const by = runOf(host);
  const lease = await openLease(held.workload.metadata.name, { trace, namespace }, inputs, client, host);
  try {
    if (action === 'promote') {
      const changes = await promotionOf(held, by, { ...options, force });
      const prunes = held.record.prune === true;
      const inventory = prunes ? await openInventory(client, changes, namespace, host) : undefined;
      const made = {
        ...{ changes, isChanged: isChangedBy(changes), trace, namespace },
        ...(inventory === undefined ? {} : { inventory }),
      };
      return await promote(held, made, inputs, client, host);
    }
    await reject(held, by, { ...options, timeoutMs, removeOnFailure });
  } finally {
    await lease?.end();
  }
  host.output('changed', 'true');
  host.output('rolledBack', 'true');
  host.log.info(`Rejected: the version before ${trace.image} runs alone again`);
}

function runOf(host: Host): string {
  const names = [host.variable('Build.DefinitionName'), host.variable('Build.BuildNumber')];
  return names.filter((name) => name !== undefined).join(' ') || 'a run';
}
