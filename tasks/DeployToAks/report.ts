import type { Comparison } from '../../src/golden/comparison.ts';
import type { Host } from '../../src/host/host.ts';
import type { Address } from '../../src/kube/gate/address.ts';
import {
  type DeploymentDocument,
  deploymentAttachment,
  deploymentDocument,
  deploymentSummary,
} from '../../src/kube/release/deploymentReport.ts';
import type { ReleaseOutcome } from '../../src/kube/release/release.ts';
import type { Plan } from './planned.ts';

export type Outcome = ReleaseOutcome<Address | undefined>;

/** What is told of a release beside its outcome. */
export interface Told {
  readonly seconds: number;
  /** In their order; the last one decided. */
  readonly comparisons?: readonly Comparison[];
}

function documentOf(
  made: Plan,
  outcome: Outcome,
  comparisons: readonly Comparison[] = [],
): DeploymentDocument {
  const { changes, trace, namespace } = made;
  const index = changes.findIndex((change) => change.manifest.runsImage);
  const base = { trace, namespace, comparisons };
  if (outcome.state === 'released') {
    const workload = outcome.live[index];
    const changed = made.isChanged;
    return deploymentDocument({ ...base, changed, workload, address: outcome.verified, rolledBack: false });
  }
  if (outcome.state === 'held') {
    const held = { changed: made.isChanged, rolledBack: false, held: true };
    return deploymentDocument({ ...base, ...held, workload: outcome.live[index], address: undefined });
  }
  const { error, rolledBack, begun: changed } = outcome;
  const failure = error instanceof Error ? error.message : String(error);
  const workload = changes[index]?.live ?? changes[index]?.planned;
  return deploymentDocument({ ...base, changed, workload, address: undefined, rolledBack, failure });
}

function publish(document: DeploymentDocument, host: Host): void {
  host.output('changed', String(document.changed));
  host.output('rolledBack', String(document.rolledBack));
  host.output('held', String(document.held === true));
  host.output('verification', document.verification?.outcome ?? '');
  host.attachment(deploymentAttachment, document.name, JSON.stringify(document, undefined, 2));
  if (document.failure !== undefined) return;
  host.output('endpointUrl', document.endpointUrl);
  host.output('externalAddress', document.externalAddress);
  host.output('deployedImage', document.image);
  host.output('deployedModelVersion', document.model.version ?? '');
  host.output('revision', document.revision);
}

/** Publishes what became of a release, and fails with it. */
export function report(made: Plan, outcome: Outcome, { seconds, comparisons }: Told, host: Host): void {
  const document = documentOf(made, outcome, comparisons);
  publish(document, host);
  const diagnosis = outcome.state === 'failed' ? outcome.diagnosis : undefined;
  host.summary(`Deployment ${document.name}`, deploymentSummary(document, seconds, diagnosis));
  if (outcome.state === 'failed') throw outcome.error;
}
