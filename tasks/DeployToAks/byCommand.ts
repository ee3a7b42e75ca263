import type { ClusterCommands } from '../../src/azure/cluster.ts';
import type { Host } from '../../src/host/host.ts';
import { lookByCommand } from '../../src/kube/command/look.ts';
import { releaseByCommand } from '../../src/kube/command/release.ts';
import { addressOf, wantsLoadBalancer } from '../../src/kube/gate/address.ts';
import { checkProbe } from '../../src/kube/gate/endpoint.ts';
import { resolveImage } from '../../src/kube/image/resolveImage.ts';
import { traceOf } from '../../src/kube/image/runTrace.ts';
import { rolloutKinds } from '../../src/kube/objects/workload.ts';
import { workloadState } from '../../src/kube/objects/workloadState.ts';
import { type Asked, prepare } from '../../src/kube/release/prepare.ts';
import { refuseForCommands } from './commandInputs.ts';
import type { DeployInputs } from './inputs.ts';
import { isChangedBy, tellPlan } from './plan.ts';
import type { Changes, Plan } from './planned.ts';
import { type Outcome, report } from './report.ts';

/** kubectl finds each kind's place itself, and puts objects into their namespace. */
function leftToKubectl(version: string): Asked {
  const resource = { group: '', plural: '', namespaced: false, root: '' };
  return { resource: async () => resource, version: async () => version };
}

async function look({ run, version }: ClusterCommands, inputs: DeployInputs, host: Host): Promise<Plan> {
  const image = await resolveImage(inputs.image, host);
  host.log.info(`Image: ${image.reference}`);
  const trace = traceOf(image, host);
  const { namespace = 'default', force } = inputs;
  const manifests = await prepare(leftToKubectl(version), { ...inputs, image, trace, namespace }, host);
  host.log.info('Reading the cluster by a command within it');
  const changes = await lookByCommand(run, manifests, { namespace, force, log: host.log });
  checkProbe(inputs.probePath, changes);
  tellPlan(changes, host);
  return { changes, isChanged: isChangedBy(changes), trace, namespace };
}

/** The outcome where nothing changes and all is well, which needs no further command. */
function asItIs(changes: Changes, inputs: DeployInputs): Outcome | undefined {
  const live = changes.flatMap((change) => (change.live === undefined ? [] : [change.live]));
  const workloads = live.filter((object) => rolloutKinds.includes(object.kind));
  const service = live.find(wantsLoadBalancer);
  const address = service === undefined ? undefined : addressOf(service);
  const isServing = service === undefined || address !== undefined;
  if (isChangedBy(changes) || inputs.probePath !== undefined || !isServing) return undefined;
  if (!workloads.every((workload) => workloadState(workload).complete)) return undefined;
  return { state: 'released', live, verified: address };
}

/**
 * A release on a private cluster by two commands within it: the first reads, the second applies, waits, verifies and
 * puts back what failed. Throws RUN_COMMAND_… errors and those of the release.
 */
export async function deployByCommand(
  commands: ClusterCommands,
  inputs: DeployInputs,
  host: Host,
): Promise<void> {
  const started = performance.now();
  refuseForCommands(host);
  const made = await look(commands, inputs, host);
  if (inputs.dryRun) {
    host.output('changed', 'false');
    host.log.info("Nothing was changed, as 'dryRun: true' asks.");
    return;
  }
  if (!made.isChanged) host.log.info('Nothing to do: this state already runs. Its health is checked.');
  else
    host.log.info(
      'Releasing by a command within the cluster; it ends by itself, whatever becomes of this run',
    );
  const outcome =
    asItIs(made.changes, inputs) ??
    (await releaseByCommand(commands.run, made.changes, { ...inputs, log: host.log }));
  report(made, outcome, { seconds: (performance.now() - started) / 1000 }, host);
  host.log.info('Done by commands within the cluster');
}
