import { registryChoice } from '../../src/azure/registry.ts';
import { DeliveryError } from '../../src/errors.ts';
import type { Host } from '../../src/host/host.ts';
import {
  choice,
  connection,
  flag,
  integer,
  lines,
  path,
  readInputs,
  required,
  text,
  type Values,
} from '../../src/host/inputs.ts';
import { toApplication } from '../../src/kube/application.ts';
import type { ConnectionChoice } from '../../src/kube/connect.ts';
import type { Strategy } from '../../src/kube/hold.ts';
import type { Source } from '../../src/kube/prepare.ts';
import type { ImageChoice } from '../../src/kube/resolveImage.ts';
import { checkRepository } from '../../src/oci/reference.ts';

const seconds = (defaultValue: number) => integer({ min: 1, max: 86_400, defaultValue, unit: 'seconds' });
const port = (defaultValue: number) =>
  integer({ min: 1, max: 65_535, defaultValue, unit: 'the port number' });

/** The inputs by their public names, as task.json declares them. */
export const fields = {
  connectionType: choice(['kubernetes', 'kubeconfig', 'azureResourceManager'], 'kubernetes'),
  kubernetesConnection: connection(),
  azureSubscription: connection(),
  resourceGroup: text(),
  cluster: text(),
  useClusterAdmin: flag(false),
  usePublicFqdn: flag(false),
  privateClusterAccess: choice(['auto', 'direct', 'runCommand'], 'auto'),
  kubeconfig: text(),
  kubeconfigContext: text(),
  namespace: text(),
  createNamespace: flag(false),
  manifests: lines(),
  helmReleaseName: text(),
  helmValues: lines(),
  helmSet: lines(),
  container: text(),
  appName: text(),
  replicas: integer({ min: 0, max: 1000, defaultValue: 2, unit: 'pods' }),
  port: port(8080),
  readinessPath: text(),
  serviceType: choice(['LoadBalancer', 'ClusterIP', 'NodePort'], 'LoadBalancer'),
  servicePort: port(80),
  cpuRequest: text(),
  memoryRequest: text(),
  cpuLimit: text(),
  memoryLimit: text(),
  imagePullSecret: text(),
  image: text(),
  containerRegistry: connection(),
  registry: text(),
  repository: text(),
  imagePolicy: choice(['newest', 'semver', 'regex'], 'newest'),
  tagFilter: text(),
  createPullSecret: flag(false),
  strategy: choice(['rolling', 'canary', 'blueGreen'], 'rolling'),
  canaryPercent: integer({ min: 1, max: 99, defaultValue: 20, unit: 'percent of the pods' }),
  canaryDuration: seconds(60),
  dryRun: flag(false),
  verifyFile: path(),
  rolloutTimeout: seconds(600),
  rollbackOnFailure: flag(true),
  removeOnFailure: flag(false),
  prune: flag(false),
  concurrency: choice(['wait', 'fail'], 'wait'),
  modelDelivery: choice(['baked', 'imageVolume'], 'baked'),
  modelImage: text(),
  forceConflicts: flag(false),
  addressTimeout: seconds(300),
  probePath: text(),
  probeTimeout: seconds(60),
} as const;

type Raw = Values<typeof fields>;

export interface DeployInputs {
  readonly connection: ConnectionChoice;
  readonly namespace?: string;
  readonly createNamespace: boolean;
  readonly source: Source;
  readonly container?: string;
  readonly image: ImageChoice;
  readonly createPullSecret: boolean;
  readonly strategy: Strategy;
  /** Show what would change, and stop. */
  readonly dryRun: boolean;
  /** File of golden predictions. */
  readonly verifyFile?: string;
  /** Where the application listens, for containers that name no port. */
  readonly port: number;
  readonly rolloutTimeoutMs: number;
  readonly rollbackOnFailure: boolean;
  readonly removeOnFailure: boolean;
  /** What to do while another release of the same application is under way. */
  readonly concurrency: 'wait' | 'fail';
  /** Removes what left the manifests since a run that recorded it. */
  readonly prune: boolean;
  /** How the model comes into the pods; `image` names its own image where that is not found by the application's. */
  readonly modelDelivery: { readonly kind: 'baked' | 'imageVolume'; readonly image?: string };
  readonly force: boolean;
  readonly addressTimeoutMs: number;
  readonly probePath?: string;
  readonly probeTimeoutMs: number;
}

function invalid(name: string, problem: string, remedy: string): DeliveryError {
  const message = `Input '${name}' ${problem}.`;
  return new DeliveryError({ code: 'INPUT_INVALID', side: 'input', message, remedy });
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
  return { type: 'kubeconfig', kubeconfig, ...(context === undefined ? {} : { context }) };
}

function tagFilter(source: string | undefined): RegExp | undefined {
  try {
    return source === undefined ? undefined : new RegExp(source);
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw invalid(
      'tagFilter',
      `is no regular expression: ${why}`,
      "Write for example '^main-' or '^(\\d+)$'.",
    );
  }
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
    policy: { by: raw.imagePolicy, ...(filter === undefined ? {} : { tagFilter: filter }) },
  };
}

function readSource(raw: Raw): Source {
  if (raw.manifests.length === 0) return { kind: 'generated', application: toApplication(raw) };
  const release = raw.helmReleaseName;
  const chart = { files: raw.helmValues, set: raw.helmSet, ...(release === undefined ? {} : { release }) };
  return { kind: 'manifests', patterns: raw.manifests, chart };
}

function readStrategy(raw: Raw): Strategy {
  if (raw.strategy !== 'canary') return { kind: raw.strategy };
  return { kind: 'canary', percent: raw.canaryPercent, durationMs: raw.canaryDuration * 1000 };
}

/** Reads and checks all inputs once. Throws INPUT_MISSING, INPUT_INVALID or IMAGE_NAME_INVALID. */
export function readDeployInputs(host: Host): DeployInputs {
  const raw = readInputs(host, fields);
  if (raw.createPullSecret) required(raw.containerRegistry, 'containerRegistry', "with 'createPullSecret'");
  return {
    connection: readConnection(raw),
    ...(raw.namespace === undefined ? {} : { namespace: raw.namespace }),
    createNamespace: raw.createNamespace,
    source: readSource(raw),
    ...(raw.container === undefined ? {} : { container: raw.container }),
    image: readImage(raw),
    createPullSecret: raw.createPullSecret,
    strategy: readStrategy(raw),
    dryRun: raw.dryRun,
    ...(raw.verifyFile === undefined ? {} : { verifyFile: raw.verifyFile }),
    port: raw.port,
    rolloutTimeoutMs: raw.rolloutTimeout * 1000,
    rollbackOnFailure: raw.rollbackOnFailure,
    removeOnFailure: raw.removeOnFailure,
    prune: raw.prune,
    concurrency: raw.concurrency,
    modelDelivery: {
      kind: raw.modelDelivery,
      ...(raw.modelImage === undefined ? {} : { image: raw.modelImage }),
    },
    force: raw.forceConflicts,
    addressTimeoutMs: raw.addressTimeout * 1000,
    ...(raw.probePath === undefined ? {} : { probePath: raw.probePath.replace(/^\/?/, '/') }),
    probeTimeoutMs: raw.probeTimeout * 1000,
  };
}
