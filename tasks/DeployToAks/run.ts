import { DeliveryError } from '../../src/errors.ts';
import type { Host } from '../../src/host/host.ts';
import { type Address, waitForAddress, wantsLoadBalancer } from '../../src/kube/address.ts';
import { createClient } from '../../src/kube/apiClient.ts';
import type { KubeClient } from '../../src/kube/client.ts';
import { connect } from '../../src/kube/connect.ts';
import {
  type DeploymentDocument,
  deploymentAttachment,
  deploymentDocument,
  deploymentSummary,
} from '../../src/kube/deploymentReport.ts';
import type { PinnedManifest } from '../../src/kube/imagePin.ts';
import { ensureNamespace } from '../../src/kube/namespace.ts';
import { describe, type KubeObject, refOf } from '../../src/kube/objects.ts';
import { type Change, plan } from '../../src/kube/plan.ts';
import { prepare } from '../../src/kube/prepare.ts';
import { probe } from '../../src/kube/probe.ts';
import { type ReleaseOutcome, release } from '../../src/kube/release.ts';
import { type ResolvedImage, resolveImage } from '../../src/kube/resolveImage.ts';
import type { Trace } from '../../src/kube/trace.ts';
import { createTransport } from '../../src/kube/transport.ts';
import { formatSeconds } from '../../src/report/format.ts';
import { type DeployInputs, readDeployInputs } from './inputs.ts';

function runUrl(host: Host): string | undefined {
  const [collection, project, id] = ['System.CollectionUri', 'System.TeamProject', 'Build.BuildId'].map(
    (name) => host.variable(name),
  );
  if (collection === undefined || project === undefined || id === undefined) return undefined;
  return `${collection.replace(/\/?$/, '/')}${encodeURIComponent(project)}/_build/results?buildId=${id}`;
}

function traceOf(image: ResolvedImage, host: Host): Trace {
  const pipeline = host.variable('Release.DefinitionName') ?? host.variable('Build.DefinitionName');
  const run = host.variable('Release.ReleaseName') ?? host.variable('Build.BuildNumber');
  const commit = image.commit ?? host.variable('Build.SourceVersion');
  const url = runUrl(host);
  return {
    image: image.reference,
    tags: image.tags,
    model: image.model,
    ...(pipeline === undefined ? {} : { pipeline }),
    ...(run === undefined ? {} : { run }),
    ...(url === undefined ? {} : { runUrl: url }),
    ...(commit === undefined ? {} : { commit }),
  };
}

function tellPlan(changes: readonly Change[], host: Host): void {
  const words = { create: 'create', update: 'update', none: 'leave' } as const;
  const lines = changes.map((change) => `${words[change.action]} ${describe(refOf(change.planned))}`);
  host.log.info(['Plan, checked by the API server:', ...lines].join('\n  '));
  if (changes.every((change) => change.action === 'none')) {
    host.log.info('Nothing to do: this state already runs. Its health is checked.');
  }
}

function checkProbe(inputs: DeployInputs, changes: readonly Change[]): void {
  if (inputs.probePath === undefined || changes.some((change) => wantsLoadBalancer(change.planned))) return;
  throw new DeliveryError({
    code: 'NOTHING_TO_PROBE',
    side: 'input',
    message: "Input 'probePath' is set, but no Service of type LoadBalancer is deployed that could be asked.",
    remedy: "Leave 'probePath' empty, or deploy a Service of type LoadBalancer.",
  });
}

/** Good answers in a row: their two seconds outlast the time that nodes need to follow a change of pods. */
const answersAfterChange = 5;

async function verify(
  live: readonly KubeObject[],
  isChanged: boolean,
  inputs: DeployInputs,
  client: KubeClient,
  host: Host,
): Promise<Address | undefined> {
  const service = live.find(wantsLoadBalancer);
  if (service === undefined) return undefined;
  const common = { log: host.log, signal: host.cancelled };
  const address = await waitForAddress(client, service, { ...common, timeoutMs: inputs.addressTimeoutMs });
  host.log.info(`Address: ${address.url}`);
  if (inputs.probePath === undefined) return address;
  const answer = await probe(address.url + inputs.probePath, {
    ...common,
    timeoutMs: inputs.probeTimeoutMs,
    inARow: isChanged ? answersAfterChange : 1,
  });
  host.log.info(`Probe ${address.url}${inputs.probePath}: ${answer}`);
  return address;
}

function documentOf(
  changes: readonly Change<PinnedManifest>[],
  outcome: ReleaseOutcome<Address | undefined>,
  context: { readonly trace: Trace; readonly namespace: string },
): DeploymentDocument {
  const index = changes.findIndex((change) => change.manifest.runsImage);
  const change = changes[index];
  const base = { ...context, changed: changes.some((one) => one.action !== 'none') };
  if (outcome.state === 'released') {
    const workload = outcome.live[index];
    return deploymentDocument({ ...base, workload, address: outcome.verified, rolledBack: false });
  }
  const { error, rolledBack } = outcome;
  const failure = error instanceof Error ? error.message : String(error);
  const workload = change?.live ?? change?.planned;
  return deploymentDocument({ ...base, workload, address: undefined, rolledBack, failure });
}

function publish(document: DeploymentDocument, host: Host): void {
  host.output('changed', String(document.changed));
  host.output('rolledBack', String(document.rolledBack));
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
  const image = await resolveImage(inputs.image, host);
  host.log.info(`Image: ${image.reference}`);
  const trace = traceOf(image, host);
  if (inputs.createNamespace) await ensureNamespace(client, namespace, host);
  const manifests = await prepare(client, { ...inputs, image, trace, namespace }, host);
  const changes = await plan(client, manifests, { force: inputs.force, signal: host.cancelled });
  checkProbe(inputs, changes);
  tellPlan(changes, host);
  const isChanged = changes.some((change) => change.action !== 'none');
  const outcome = await release(changes, {
    ...inputs,
    client,
    log: host.log,
    signal: host.cancelled,
    verify: (live) => verify(live, isChanged, inputs, client, host),
  });
  const document = documentOf(changes, outcome, { trace, namespace });
  const seconds = (performance.now() - started) / 1000;
  publish(document, host);
  host.attachment(deploymentAttachment, document.name, JSON.stringify(document, undefined, 2));
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
