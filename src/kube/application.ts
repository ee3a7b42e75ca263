import { DeliveryError } from '../errors.ts';
import { required } from '../host/inputs.ts';
import type { Application } from './generate.ts';

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
}

function invalid(name: string, problem: string, remedy: string): DeliveryError {
  const message = `Input '${name}' ${problem}.`;
  return new DeliveryError({ code: 'INPUT_INVALID', side: 'input', message, remedy });
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
    throw invalid(name, `is '${value}'`, "Write a Kubernetes quantity, for example '250m' or '512Mi'.");
  });
  return Object.fromEntries(set);
}

/** Checks the inputs of a generated application. Throws INPUT_MISSING or INPUT_INVALID. */
export function toApplication(inputs: ApplicationInputs): Application {
  const name = required(inputs.appName, 'appName', "when 'manifests' is empty");
  if (!/^[a-z]([-a-z0-9]{0,61}[a-z0-9])?$/.test(name)) {
    const remedy = 'Use at most 63 lower-case letters, digits and dashes, beginning with a letter.';
    throw invalid('appName', `is '${name}', which cannot name a Service`, remedy);
  }
  const { readinessPath, imagePullSecret } = inputs;
  return {
    name,
    replicas: inputs.replicas,
    port: inputs.port,
    service: { type: inputs.serviceType, port: inputs.servicePort },
    requests: quantities(inputs, { cpu: 'cpuRequest', memory: 'memoryRequest' }),
    limits: quantities(inputs, { cpu: 'cpuLimit', memory: 'memoryLimit' }),
    ...(readinessPath === undefined ? {} : { readinessPath: readinessPath.replace(/^\/?/, '/') }),
    ...(imagePullSecret === undefined ? {} : { imagePullSecret }),
  };
}
