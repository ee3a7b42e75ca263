import { DeliveryError } from '../../src/errors.ts';
import { type GoldenFile, readGolden } from '../../src/golden/golden.ts';
import type { Host } from '../../src/host/host.ts';
import type { Address } from '../../src/kube/address.ts';
import { createClient } from '../../src/kube/apiClient.ts';
import type { KubeClient } from '../../src/kube/client.ts';
import { connect } from '../../src/kube/connect.ts';
import {
  type DeploymentDocument,
  deploymentAttachment,
  deploymentDocument,
  deploymentSummary,
} from '../../src/kube/deploymentReport.ts';
import { differenceLines } from '../../src/kube/difference.ts';
import { checkProbe, reach } from '../../src/kube/endpoint.ts';
import type { PinnedManifest } from '../../src/kube/imagePin.ts';
import { findModelImage, type ModelImage } from '../../src/kube/modelImage.ts';
import { checkModelVolume } from '../../src/kube/modelVolume.ts';
import { ensureNamespace } from '../../src/kube/namespace.ts';
import { describe, type KubeObject, type ObjectRef, refOf } from '../../src/kube/objects.ts';
import { type Change, plan } from '../../src/kube/plan.ts';
import { preflight, type Right } from '../../src/kube/preflight.ts';
import { prepare } from '../../src/kube/prepare.ts';
import { type ReleaseOptions, type ReleaseOutcome, release } from '../../src/kube/release.ts';
import { removalRights } from '../../src/kube/removal.ts';
import { type ResolvedImage, resolveImage } from '../../src/kube/resolveImage.ts';
import { traceOf } from '../../src/kube/runTrace.ts';
import { switchRights } from '../../src/kube/stage.ts';
import type { Trace } from '../../src/kube/trace.ts';
import { createTransport } from '../../src/kube/transport.ts';
import { trialRights, withTrialPod } from '../../src/kube/trial.ts';
import { verifyPod } from '../../src/kube/verifyPod.ts';
import { containersOf, podTemplate } from '../../src/kube/workload.ts';
import { formatSeconds } from '../../src/report/format.ts';
import { type DeployInputs, readDeployInputs } from './inputs.ts';

type Changes = readonly Change<PinnedManifest>[];

/** What is known once the API server has checked the plan. */
interface Plan {
  readonly changes: Changes;
  readonly isChanged: boolean;
  readonly trace: Trace;
  readonly namespace: string;
  readonly golden?: GoldenFile;
}

function tellPlan(changes: Changes, host: Host): void {
  const words = { create: 'create', update: 'update', none: 'leave' } as const;
  const lines = changes.flatMap((change) => [
    `${words[change.action]} ${describe(refOf(change.planned))}`,
    ...differenceLines(change).map((line) => `  ${line}`),
  ]);
  host.log.info(['Plan, checked by the API server:', ...lines].join('\n  '));
}

function checkVerify(golden: GoldenFile | undefined, changes: Changes): void {
  if (golden === undefined) return;
  if (changes.some((change) => change.manifest.runsImage && change.planned.kind === 'Deployment')) return;
  throw new DeliveryError({
    code: 'NOTHING_TO_VERIFY',
    side: 'input',
    message:
      "Input 'verifyFile' is set, but the image runs in no Deployment of which a trial pod could be made.",
    remedy: "Leave 'verifyFile' empty for other kinds of workloads.",
  });
}

async function openModelVolume(
  client: KubeClient,
  image: ResolvedImage,
  inputs: DeployInputs,
  host: Host,
): Promise<ModelImage | undefined> {
  const { kind, image: reference } = inputs.modelDelivery;
  if (kind === 'baked') return undefined;
  await checkModelVolume(client, host.log, host.cancelled);
  return findModelImage(image, reference, host);
}

async function makePlan(
  client: KubeClient,
  inputs: DeployInputs,
  namespace: string,
  host: Host,
): Promise<Plan> {
  const application = await resolveImage(inputs.image, host);
  host.log.info(`Image: ${application.reference}`);
  const modelVolume = await openModelVolume(client, application, inputs, host);
  const image = modelVolume === undefined ? application : { ...application, model: modelVolume.model };
  const trace = traceOf(image, host);
  const golden =
    inputs.verifyFile === undefined ? undefined : await readGolden(inputs.verifyFile, image.model.version);
  if (inputs.createNamespace && !inputs.dryRun) await ensureNamespace(client, namespace, host);
  const volume = modelVolume === undefined ? {} : { modelVolume };
  const manifests = await prepare(client, { ...inputs, image, trace, namespace, ...volume }, host);
  const changes = await plan(client, manifests, { force: inputs.force, signal: host.cancelled });
  checkProbe(inputs.probePath, changes);
  checkVerify(golden, changes);
  tellPlan(changes, host);
  const isChanged = changes.some((change) => change.action !== 'none');
  return { changes, isChanged, trace, namespace, ...(golden === undefined ? {} : { golden }) };
}

function portOf(workload: KubeObject, image: string, otherwise: number): number {
  const containers = containersOf(podTemplate(workload)?.spec);
  return containers.find((container) => container.image === image)?.ports?.[0]?.containerPort ?? otherwise;
}

/** The gate before the switch: golden predictions, asked of a trial pod or of the first pods of a staged rollout. */
function gate(
  made: Plan,
  inputs: DeployInputs,
  client: KubeClient,
  host: Host,
): Pick<ReleaseOptions<unknown>, 'trial' | 'verifyPod'> {
  const { golden } = made;
  if (golden === undefined) return {};
  const common = { client, log: host.log, signal: host.cancelled };
  const ask = (pod: ObjectRef, workload: KubeObject): Promise<void> =>
    verifyPod(pod, golden, { ...common, port: portOf(workload, made.trace.image, inputs.port) });
  return {
    verifyPod: ask,
    trial: (workload) =>
      withTrialPod(workload, { ...common, timeoutMs: inputs.rolloutTimeoutMs }, (pod) => ask(pod, workload)),
  };
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
  return [
    ...(made.golden === undefined ? [] : trialRights(made.namespace)),
    ...(inputs.strategy.kind === 'blueGreen' ? switchRights(made.namespace) : []),
    ...(await removalRights(client, planned, signal)),
  ];
}

async function carryOut(
  made: Plan,
  inputs: DeployInputs,
  client: KubeClient,
  host: Host,
): Promise<ReleaseOutcome<Address | undefined>> {
  const common = { ...inputs, client, log: host.log, signal: host.cancelled };
  if (made.isChanged) {
    const extra = await extraRights(made, inputs, client, host.cancelled);
    await preflight(client, made.changes, { ...common, extra });
  } else {
    host.log.info('Nothing to do: this state already runs. Its health is checked.');
  }
  return release(made.changes, {
    ...common,
    ...gate(made, inputs, client, host),
    verify: (live) => reach(live, { ...common, isChanged: made.isChanged }),
  });
}

function documentOf(made: Plan, outcome: ReleaseOutcome<Address | undefined>): DeploymentDocument {
  const { changes, trace, namespace } = made;
  const index = changes.findIndex((change) => change.manifest.runsImage);
  const base = { trace, namespace };
  if (outcome.state === 'released') {
    const workload = outcome.live[index];
    const changed = made.isChanged;
    return deploymentDocument({ ...base, changed, workload, address: outcome.verified, rolledBack: false });
  }
  const { error, rolledBack, begun: changed } = outcome;
  const failure = error instanceof Error ? error.message : String(error);
  const workload = changes[index]?.live ?? changes[index]?.planned;
  return deploymentDocument({ ...base, changed, workload, address: undefined, rolledBack, failure });
}

function publish(document: DeploymentDocument, host: Host): void {
  host.output('changed', String(document.changed));
  host.output('rolledBack', String(document.rolledBack));
  host.attachment(deploymentAttachment, document.name, JSON.stringify(document, undefined, 2));
  if (document.failure !== undefined) return;
  host.output('endpointUrl', document.endpointUrl);
  host.output('externalAddress', document.externalAddress);
  host.output('deployedImage', document.image);
  host.output('deployedModelVersion', document.model.version ?? '');
  host.output('revision', document.revision);
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
  const outcome = await carryOut(made, inputs, client, host);
  const document = documentOf(made, outcome);
  const seconds = (performance.now() - started) / 1000;
  publish(document, host);
  const diagnosis = outcome.state === 'failed' ? outcome.diagnosis : undefined;
  host.summary(`Deployment ${document.name}`, deploymentSummary(document, seconds, diagnosis));
  if (outcome.state === 'failed') throw outcome.error;
  host.log.info(`Done in ${formatSeconds(seconds)} with ${client.count()} requests to the API server`);
}

/** The task DeployToAks: the image onto the cluster by digest, watched, verified, or put back. */
export async function deployToAks(host: Host): Promise<void> {
  const inputs = readDeployInputs(host);
  const access = await connect(inputs.connection, host);
  if (access.skipTlsVerify) {
    host.log.warning(`The API server's certificate is not verified, as ${access.origin} asks.`);
  }
  const client = createClient(createTransport(access));
  try {
    await deploy(client, inputs, inputs.namespace ?? access.namespace ?? 'default', host);
  } finally {
    await client.close();
  }
}
