import { DeliveryError } from '../../src/errors.ts';
import type { Host } from '../../src/host/host.ts';
import { fields } from './fields.ts';

/**
 * Which inputs a release by commands within a private cluster honours. What needs more than one command (something
 * looked at between two changes, or a pod asked from the agent) is refused rather than left out in silence.
 */
export const commandInputs: Readonly<Record<keyof typeof fields, 'honoured' | 'refused'>> = {
  connectionType: 'honoured',
  kubernetesConnection: 'honoured',
  azureSubscription: 'honoured',
  resourceGroup: 'honoured',
  cluster: 'honoured',
  useClusterAdmin: 'refused',
  usePublicFqdn: 'honoured',
  privateClusterAccess: 'honoured',
  kubeconfig: 'honoured',
  kubeconfigContext: 'honoured',
  allowExecPlugins: 'honoured',
  namespace: 'honoured',
  createNamespace: 'refused',
  manifests: 'honoured',
  helmReleaseName: 'honoured',
  helmValues: 'honoured',
  helmSet: 'honoured',
  substituteVariables: 'refused',
  container: 'honoured',
  appName: 'honoured',
  replicas: 'honoured',
  port: 'honoured',
  readinessPath: 'honoured',
  serviceType: 'honoured',
  servicePort: 'honoured',
  cpuRequest: 'honoured',
  memoryRequest: 'honoured',
  cpuLimit: 'honoured',
  memoryLimit: 'honoured',
  imagePullSecret: 'honoured',
  livenessPath: 'honoured',
  startupTime: 'honoured',
  nonRoot: 'honoured',
  gpuCount: 'honoured',
  gpuResource: 'honoured',
  spreadPods: 'honoured',
  disruptionBudget: 'honoured',
  maxReplicas: 'honoured',
  targetCpu: 'honoured',
  route: 'honoured',
  routeHost: 'honoured',
  routePath: 'honoured',
  tlsSecret: 'honoured',
  ingressClass: 'honoured',
  gateway: 'honoured',
  dnsLabel: 'honoured',
  image: 'honoured',
  containerRegistry: 'honoured',
  registry: 'honoured',
  repository: 'honoured',
  imagePolicy: 'honoured',
  tagFilter: 'honoured',
  versionRange: 'honoured',
  preReleases: 'honoured',
  otherImages: 'honoured',
  createPullSecret: 'refused',
  action: 'refused',
  holdForPromotion: 'refused',
  strategy: 'refused',
  canaryPercent: 'honoured',
  canaryDuration: 'honoured',
  canaryTraffic: 'honoured',
  keepFormer: 'honoured',
  dryRun: 'honoured',
  verifyFile: 'refused',
  verifySamples: 'refused',
  verifyErrorRate: 'honoured',
  verifyLatency: 'honoured',
  verifyTimeout: 'honoured',
  rolloutTimeout: 'honoured',
  rollbackOnFailure: 'honoured',
  removeOnFailure: 'refused',
  concurrency: 'refused',
  prune: 'refused',
  modelDelivery: 'refused',
  modelImage: 'honoured',
  forceConflicts: 'honoured',
  addressTimeout: 'honoured',
  probePath: 'honoured',
  probeTimeout: 'honoured',
};

function isSet(host: Host, name: keyof typeof fields): boolean {
  const field = fields[name];
  const value = field.read(host, name);
  return value !== undefined && String(value) !== (field.defaultValue ?? '');
}

/** Throws RUN_COMMAND_UNSUPPORTED for the first input that asks for what commands cannot do. */
export function refuseForCommands(host: Host): void {
  const names = Object.keys(commandInputs) as (keyof typeof fields)[];
  const wanted = names.find((name) => commandInputs[name] === 'refused' && isSet(host, name));
  if (wanted === undefined) return;
  throw new DeliveryError({
    code: 'RUN_COMMAND_UNSUPPORTED',
    side: 'input',
    message: `Input '${wanted}' asks for what a command within a private cluster cannot do; nothing was changed.`,
    remedy: `Leave '${wanted}' at its default, or run on an agent that reaches the API server with 'privateClusterAccess: direct'.`,
  });
}
