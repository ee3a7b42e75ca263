import type { Comparison } from '../../src/golden/comparison.ts';
import type { Host } from '../../src/host/host.ts';
import { createClient } from '../../src/kube/api/apiClient.ts';
import type { KubeClient } from '../../src/kube/api/client.ts';
import type { Right } from '../../src/kube/api/right.ts';
import { createTransport } from '../../src/kube/api/transport.ts';
import { findWay } from '../../src/kube/connection/way.ts';
import type { Address } from '../../src/kube/gate/address.ts';
import { reach } from '../../src/kube/gate/endpoint.ts';
import { trialRights } from '../../src/kube/gate/trial.ts';
import { inventoryRights } from '../../src/kube/plan/inventory.ts';
import { preflight } from '../../src/kube/plan/preflight.ts';
import { removalRights } from '../../src/kube/plan/removal.ts';
import { type ReleaseOutcome, release } from '../../src/kube/release/release.ts';
import { switchRights } from '../../src/kube/stages/blueGreen.ts';
import { weightRights } from '../../src/kube/stages/canaryTraffic.ts';
import { heldRights } from '../../src/kube/stages/heldRecord.ts';
import { divides } from '../../src/kube/stages/stageChoice.ts';
import { formatSeconds } from '../../src/report/format.ts';
import { deployByCommand } from './byCommand.ts';
import { refuseForCommands } from './commandInputs.ts';
import { decide } from './decide.ts';
import { gate } from './gate.ts';
import { holdable } from './holdable.ts';
import { type DeployInputs, readTaskInputs } from './inputs.ts';
import { pruneDeparted, record, releaseOf } from './inventory.ts';
import { openLease } from './lease.ts';
import { makePlan } from './plan.ts';
import type { Plan } from './planned.ts';
import { report } from './report.ts';

function isByWeights({ changes }: Plan, { strategy }: DeployInputs): boolean {
  return changes.some((change) => divides(change, changes, strategy));
}

/** The rights that the inputs need beyond those of the changes. */
async function extraRights(
  made: Plan,
  inputs: DeployInputs,
  client: KubeClient,
  signal: AbortSignal,
): Promise<Right[]> {
  const created = made.changes.filter((change) => change.action === 'create');
  const removable = inputs.rollbackOnFailure && inputs.removeOnFailure ? created : [];
  const planned = removable.map((change) => change.planned);
  const { inventory } = made;
  return [
    ...(inventory === undefined ? [] : inventoryRights(made.namespace)),
    ...(made.golden === undefined ? [] : trialRights(made.namespace)),
    ...(inputs.hold ? heldRights(made.namespace) : []),
    ...(inputs.strategy.kind === 'blueGreen' ? switchRights(made.namespace) : []),
    ...(isByWeights(made, inputs) ? weightRights(made.namespace) : []),
    ...(await removalRights(client, [...planned, ...(inventory?.departed ?? [])], signal)),
  ];
}

async function carryOut(
  made: Plan,
  inputs: DeployInputs,
  client: KubeClient,
  host: Host,
  comparisons: Comparison[],
): Promise<ReleaseOutcome<Address | undefined>> {
  const common = { ...inputs, client, log: host.log, signal: host.cancelled };
  if (made.isChanged) {
    const extra = await extraRights(made, inputs, client, host.cancelled);
    await preflight(client, made.changes, { ...common, extra });
  } else {
    host.log.info('Nothing to do: this state already runs. Its health is checked.');
  }
  const known = await record(made, client, host.cancelled);
  const outcome = await release(await holdable(made, inputs, client, host), {
    ...common,
    ...gate({ client, golden: made.golden, image: made.trace.image, comparisons }, inputs, host),
    verify: (live) => reach(live, { ...common, isChanged: made.isChanged }),
  });
  if (outcome.state === 'released') await pruneDeparted(made, known, inputs, client, host);
  return outcome;
}

async function deploy(
  client: KubeClient,
  inputs: DeployInputs,
  namespace: string,
  host: Host,
): Promise<void> {
  const started = performance.now();
  const made = await makePlan(client, inputs, namespace, host);
  if (inputs.dryRun) {
    host.output('changed', 'false');
    host.log.info("Nothing was changed, as 'dryRun: true' asks.");
    return;
  }
  const lease = made.isChanged
    ? await openLease(releaseOf(made.changes), made, inputs, client, host)
    : undefined;
  try {
    const current = lease?.waited === true ? await makePlan(client, inputs, namespace, host) : made;
    await finish(current, inputs, client, host, started);
  } finally {
    await lease?.end();
  }
}

/** Releases what was planned, publishes what became of it, and fails with it. */
async function finish(
  made: Plan,
  inputs: DeployInputs,
  client: KubeClient,
  host: Host,
  started: number,
): Promise<void> {
  const comparisons: Comparison[] = [];
  const outcome = await carryOut(made, inputs, client, host, comparisons);
  const seconds = (performance.now() - started) / 1000;
  report(made, outcome, { seconds, comparisons }, host);
  host.log.info(`Done in ${formatSeconds(seconds)} with ${client.count()} requests to the API server`);
}

/** The task DeployToAks: the image onto the cluster by digest, watched, verified, or put back. */
export async function deployToAks(host: Host): Promise<void> {
  const inputs = readTaskInputs(host);
  const way = await findWay(inputs.connection, host);
  if (way.kind === 'commands') {
    if (inputs.action === 'deploy') return deployByCommand(way.commands, inputs, host);
    return refuseForCommands(host);
  }
  const { access } = way;
  if (access.skipTlsVerify) {
    host.log.warning(`The API server's certificate is not verified, as ${access.origin} asks.`);
  }
  const client = createClient(createTransport(access));
  try {
    const namespace = inputs.namespace ?? access.namespace ?? 'default';
    if (inputs.action === 'deploy') await deploy(client, inputs, namespace, host);
    else await decide(client, inputs, namespace, host);
  } finally {
    await client.close();
  }
}
