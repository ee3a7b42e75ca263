import semver from 'semver';
import { type RegistryChoice, registryChoice } from '../../src/azure/registry.ts';
import type { Limits } from '../../src/golden/comparison.ts';
import type { Host } from '../../src/host/host.ts';
import { invalidInput, readInputs, required } from '../../src/host/inputs.ts';
import type { ConnectionChoice } from '../../src/kube/connection/connect.ts';
import { type OtherImage, readOtherImages } from '../../src/kube/image/otherImages.ts';
import type { ImageChoice } from '../../src/kube/image/resolveImage.ts';
import { toApplication } from '../../src/kube/manifests/application.ts';
import type { Source } from '../../src/kube/release/prepare.ts';
import type { Strategy } from '../../src/kube/stages/hold.ts';
import { checkRepository } from '../../src/oci/reference.ts';
import { fields, type Raw } from './fields.ts';

/** What deploying a release and deciding on a held one have in common. */
export interface SharedInputs {
  readonly connection: ConnectionChoice;
  readonly namespace?: string;
  readonly rolloutTimeoutMs: number;
  readonly rollbackOnFailure: boolean;
  readonly removeOnFailure: boolean;
  /** What to do while another release of the same application is under way. */
  readonly concurrency: 'wait' | 'fail';
  readonly force: boolean;
  readonly addressTimeoutMs: number;
  readonly probePath?: string;
  readonly probeTimeoutMs: number;
}

/** What becomes of a release that is held. */
export interface DecisionInputs extends SharedInputs {
  readonly action: 'promote' | 'reject';
  /** The Deployment's name, where several releases are held. */
  readonly name?: string;
  /** Milliseconds that the former pods of a blue-green release are kept after the switch. */
  readonly keepMs: number;
}

export interface DeployInputs extends SharedInputs {
  readonly action: 'deploy';
  /** Stop at the verified stage. */
  readonly hold: boolean;
  readonly createNamespace: boolean;
  readonly source: Source;
  readonly container?: string;
  readonly image: ImageChoice;
  readonly otherImages: readonly OtherImage[];
  /** The registry that the inputs give credentials for. */
  readonly registry?: RegistryChoice;
  readonly createPullSecret: boolean;
  /** Azure's DNS label for the load balancer's address. */
  readonly dnsLabel?: string;
  readonly strategy: Strategy;
  /** Show what would change, and stop. */
  readonly dryRun: boolean;
  /** File of golden predictions. */
  readonly verifyFile?: string;
  /** How new pods are compared with the stable ones; no limits: the golden requests once, to one pod. */
  readonly verification: { readonly limits?: Limits; readonly timeoutMs: number };
  /** Where the application listens, for containers that name no port. */
  readonly port: number;
  /** Removes what left the manifests since a run that recorded it. */
  readonly prune: boolean;
  /** How the model comes into the pods; `image` names its own image where that is not found by the application's. */
  readonly modelDelivery: { readonly kind: 'baked' | 'imageVolume'; readonly image?: string };
}

function readConnection(raw: Raw): ConnectionChoice {
  const why = `with 'connectionType: ${raw.connectionType}'`;
  if (raw.connectionType === 'azureResourceManager') {
    const name = {
      resourceGroup: required(raw.resourceGroup, 'resourceGroup', why),
      cluster: required(raw.cluster, 'cluster', why),
      admin: raw.useClusterAdmin,
      publicFqdn: raw.usePublicFqdn,
    };
    const id = required(raw.azureSubscription, 'azureSubscription', why);
    return { type: raw.connectionType, id, name, way: raw.privateClusterAccess };
  }
  if (raw.connectionType === 'kubernetes') {
    return { type: 'kubernetes', id: required(raw.kubernetesConnection, 'kubernetesConnection', why) };
  }
  const kubeconfig = required(raw.kubeconfig, 'kubeconfig', why);
  const context = raw.kubeconfigContext;
  const allowPlugins = raw.allowExecPlugins;
  return { type: 'kubeconfig', kubeconfig, allowPlugins, ...(context === undefined ? {} : { context }) };
}

function tagFilter(source: string | undefined): RegExp | undefined {
  try {
    return source === undefined ? undefined : new RegExp(source);
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw invalidInput(
      'tagFilter',
      `is no regular expression: ${why}`,
      "Write for example '^main-' or '^(\\d+)$'.",
    );
  }
}

function readRange({ versionRange: range }: Raw): { range?: string } {
  if (range === undefined) return {};
  if (semver.validRange(range) !== null) return { range };
  throw invalidInput(
    'versionRange',
    `is '${range}', which is no range of versions`,
    "Write for example '^2.1' or '>=1.4 <2'.",
  );
}

function readRegistry(raw: Raw): { registry?: RegistryChoice } {
  const registry = registryChoice(raw);
  return registry === undefined ? {} : { registry };
}

function readImage(raw: Raw): ImageChoice {
  if (raw.image !== undefined) {
    const registry = registryChoice(raw);
    return { kind: 'given', image: raw.image, ...(registry === undefined ? {} : { registry }) };
  }
  const why = "when 'image' is empty";
  const filter = tagFilter(raw.tagFilter);
  if (raw.imagePolicy === 'regex') required(raw.tagFilter, 'tagFilter', "with 'imagePolicy: regex'");
  return {
    kind: 'chosen',
    registry: required(registryChoice(raw), 'containerRegistry', why),
    repository: checkRepository(required(raw.repository, 'repository', why)),
    policy: {
      by: raw.imagePolicy,
      preReleases: raw.preReleases,
      ...(filter === undefined ? {} : { tagFilter: filter }),
      ...readRange(raw),
    },
  };
}

function readDnsLabel({ dnsLabel }: Raw): Pick<DeployInputs, 'dnsLabel'> {
  if (dnsLabel === undefined) return {};
  if (/^[a-z][-a-z0-9]{1,61}[a-z0-9]$/.test(dnsLabel)) return { dnsLabel };
  const remedy = 'Use 3 to 63 lower-case letters, digits and dashes, beginning with a letter.';
  throw invalidInput('dnsLabel', `is '${dnsLabel}', which Azure does not take`, remedy);
}

function readSource(raw: Raw): Source {
  if (raw.manifests.length === 0) return { kind: 'generated', application: toApplication(raw) };
  const release = raw.helmReleaseName;
  const chart = { files: raw.helmValues, set: raw.helmSet, ...(release === undefined ? {} : { release }) };
  const { manifests: patterns, substituteVariables } = raw;
  return { kind: 'manifests', patterns, chart, substituteVariables };
}

function readStrategy(raw: Raw): Strategy {
  if (raw.strategy === 'rolling') return { kind: 'rolling' };
  if (raw.strategy === 'blueGreen') return { kind: 'blueGreen', keepMs: raw.keepFormer * 1000 };
  const durationMs = raw.canaryDuration * 1000;
  return { kind: 'canary', percents: readPercents(raw), durationMs, traffic: raw.canaryTraffic };
}

function readPercents(raw: Raw): number[] {
  const percents = raw.canaryPercent.split(',').map(Number);
  if (percents.every((percent) => Number.isInteger(percent) && percent >= 1 && percent <= 99))
    return percents;
  throw invalidInput(
    'canaryPercent',
    `is '${raw.canaryPercent}'`,
    "Write a whole number of percent of the pods from 1 to 99, or steps like '10, 50'.",
  );
}

function readVerification(raw: Raw): DeployInputs['verification'] {
  const { verifySamples: samples, verifyLatency: latency } = raw;
  const timeoutMs = raw.verifyTimeout * 1000;
  if (samples === 0) return { timeoutMs };
  required(raw.verifyFile, 'verifyFile', "with 'verifySamples'");
  const latencyFactor = latency === 0 ? {} : { latencyFactor: 1 + latency / 100 };
  return { timeoutMs, limits: { samples, errorRate: raw.verifyErrorRate / 100, ...latencyFactor } };
}

function readShared(raw: Raw): SharedInputs {
  return {
    connection: readConnection(raw),
    ...(raw.namespace === undefined ? {} : { namespace: raw.namespace }),
    rolloutTimeoutMs: raw.rolloutTimeout * 1000,
    rollbackOnFailure: raw.rollbackOnFailure,
    removeOnFailure: raw.removeOnFailure,
    concurrency: raw.concurrency,
    force: raw.forceConflicts,
    addressTimeoutMs: raw.addressTimeout * 1000,
    ...(raw.probePath === undefined ? {} : { probePath: raw.probePath.replace(/^\/?/, '/') }),
    probeTimeoutMs: raw.probeTimeout * 1000,
  };
}

/** Reads and checks all inputs once. Throws INPUT_MISSING, INPUT_INVALID or IMAGE_NAME_INVALID. */
export function readTaskInputs(host: Host): DeployInputs | DecisionInputs {
  const raw = readInputs(host, fields);
  if (raw.action === 'deploy') return readDeployInputs(host);
  const name = raw.appName === undefined ? {} : { name: raw.appName };
  return { ...readShared(raw), action: raw.action, keepMs: raw.keepFormer * 1000, ...name };
}

function readHold(raw: Raw): boolean {
  if (!raw.holdForPromotion || raw.strategy !== 'rolling') return raw.holdForPromotion;
  throw invalidInput(
    'holdForPromotion',
    "is set with 'strategy: rolling', which has no stage to hold",
    "Use 'strategy: canary' or 'strategy: blueGreen'.",
  );
}

/** The inputs of a deployment. Throws INPUT_MISSING, INPUT_INVALID or IMAGE_NAME_INVALID. */
export function readDeployInputs(host: Host): DeployInputs {
  const raw = readInputs(host, fields);
  if (raw.createPullSecret) required(raw.containerRegistry, 'containerRegistry', "with 'createPullSecret'");
  return {
    ...readShared(raw),
    action: 'deploy',
    hold: readHold(raw),
    createNamespace: raw.createNamespace,
    source: readSource(raw),
    ...(raw.container === undefined ? {} : { container: raw.container }),
    image: readImage(raw),
    otherImages: readOtherImages(raw.otherImages),
    ...readRegistry(raw),
    createPullSecret: raw.createPullSecret,
    ...readDnsLabel(raw),
    strategy: readStrategy(raw),
    dryRun: raw.dryRun,
    ...(raw.verifyFile === undefined ? {} : { verifyFile: raw.verifyFile }),
    verification: readVerification(raw),
    port: raw.port,
    prune: raw.prune,
    modelDelivery: {
      kind: raw.modelDelivery,
      ...(raw.modelImage === undefined ? {} : { image: raw.modelImage }),
    },
  };
}
