import { invalidInput, required } from '../../host/inputs.ts';
import type { Application, Route } from './generated.ts';

/** The inputs that describe a generated application, as they were written. */
export interface ApplicationInputs {
  readonly appName: string | undefined;
  readonly replicas: number;
  readonly port: number;
  readonly readinessPath: string | undefined;
  readonly serviceType: Application['service']['type'];
  readonly servicePort: number;
  readonly cpuRequest: string | undefined;
  readonly memoryRequest: string | undefined;
  readonly cpuLimit: string | undefined;
  readonly memoryLimit: string | undefined;
  readonly imagePullSecret: string | undefined;
  readonly livenessPath: string | undefined;
  readonly startupTime: number;
  readonly nonRoot: Application['nonRoot'];
  readonly gpuCount: number;
  readonly gpuResource: string;
  readonly spreadPods: boolean;
  readonly disruptionBudget: boolean;
  readonly maxReplicas: number;
  readonly targetCpu: number;
  readonly route: 'none' | 'ingress' | 'gateway';
  readonly routeHost: string | undefined;
  readonly routePath: string;
  readonly tlsSecret: string | undefined;
  readonly ingressClass: string | undefined;
  readonly gateway: string | undefined;
}

/** Source: https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/quantity/ */
const quantity = /^\d+(\.\d+)?(m|[kMGTPE]|[KMGTPE]i|e\d+)?$/;

function quantities(
  inputs: ApplicationInputs,
  names: Readonly<Record<'cpu' | 'memory', 'cpuRequest' | 'cpuLimit' | 'memoryRequest' | 'memoryLimit'>>,
): Record<string, string> {
  const set = Object.entries(names).flatMap(([resource, name]): [string, string][] => {
    const value = inputs[name];
    if (value === undefined) return [];
    if (quantity.test(value)) return [[resource, value]];
    throw invalidInput(name, `is '${value}'`, "Write a Kubernetes quantity, for example '250m' or '512Mi'.");
  });
  return Object.fromEntries(set);
}

const dnsName = /^(\*\.)?[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)+$/;

function absolute(path: string | undefined): string | undefined {
  return path?.replace(/^\/?/, '/');
}

function readRoute(inputs: ApplicationInputs): Route | undefined {
  const { route, routeHost: host, tlsSecret, ingressClass: className } = inputs;
  if (route === 'none') return undefined;
  if (host !== undefined && !dnsName.test(host)) {
    throw invalidInput(
      'routeHost',
      `is '${host}', which is no DNS name`,
      "Write for example 'shop.example.com'.",
    );
  }
  const path = absolute(inputs.routePath) ?? '/';
  const base = { path, ...(host === undefined ? {} : { host }) };
  if (route === 'gateway') {
    return { ...base, kind: route, gateway: required(inputs.gateway, 'gateway', "with 'route: gateway'") };
  }
  return {
    ...base,
    kind: route,
    ...(tlsSecret === undefined ? {} : { tlsSecret }),
    ...(className === undefined ? {} : { className }),
  };
}

function readAutoscaler(inputs: ApplicationInputs): Application['autoscaler'] {
  const { maxReplicas, replicas, targetCpu: cpuPercent } = inputs;
  if (maxReplicas === 0) return undefined;
  if (maxReplicas < replicas) {
    const remedy = "Leave it at 0 for no autoscaler, or at least at 'replicas'.";
    throw invalidInput('maxReplicas', `is ${maxReplicas}, less than 'replicas'`, remedy);
  }
  if (inputs.cpuRequest !== undefined) return { maxReplicas, cpuPercent };
  const remedy = "Set 'cpuRequest', for example '250m': the target is a share of it.";
  throw invalidInput('maxReplicas', "asks for an autoscaler, and 'cpuRequest' is empty", remedy);
}

/** What an application may have, each only when it is asked for. */
function options(inputs: ApplicationInputs): Partial<Application> {
  const { imagePullSecret, gpuCount: count, gpuResource: resource, startupTime } = inputs;
  const readinessPath = absolute(inputs.readinessPath);
  const livenessPath = absolute(inputs.livenessPath);
  const autoscaler = readAutoscaler(inputs);
  const route = readRoute(inputs);
  return {
    ...(readinessPath === undefined ? {} : { readinessPath }),
    ...(livenessPath === undefined ? {} : { livenessPath }),
    ...(startupTime === 0 ? {} : { startupSeconds: startupTime }),
    ...(imagePullSecret === undefined ? {} : { imagePullSecret }),
    ...(count === 0 ? {} : { gpu: { resource, count } }),
    ...(autoscaler === undefined ? {} : { autoscaler }),
    ...(route === undefined ? {} : { route }),
  };
}

/** Checks the inputs of a generated application. Throws INPUT_MISSING or INPUT_INVALID. */
export function toApplication(inputs: ApplicationInputs): Application {
  const name = required(inputs.appName, 'appName', "when 'manifests' is empty");
  if (!/^[a-z]([-a-z0-9]{0,61}[a-z0-9])?$/.test(name)) {
    const remedy = 'Use at most 63 lower-case letters, digits and dashes, beginning with a letter.';
    throw invalidInput('appName', `is '${name}', which cannot name a Service`, remedy);
  }
  return {
    name,
    replicas: inputs.replicas,
    port: inputs.port,
    service: { type: inputs.serviceType, port: inputs.servicePort },
    requests: quantities(inputs, { cpu: 'cpuRequest', memory: 'memoryRequest' }),
    limits: quantities(inputs, { cpu: 'cpuLimit', memory: 'memoryLimit' }),
    nonRoot: inputs.nonRoot,
    isSpread: inputs.spreadPods,
    hasBudget: inputs.disruptionBudget,
    ...options(inputs),
  };
}
