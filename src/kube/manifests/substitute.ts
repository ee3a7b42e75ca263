import { DeliveryError } from '../../errors.ts';
import type { PipelineVariable } from '../../host/host.ts';
import { isRecord, type KubeObject } from '../objects/objects.ts';
import type { Manifest } from './manifests.ts';

/** A name that stays as it is written, and why. */
interface Problem {
  readonly name: string;
  /** For example `k8s/web.yaml, document 1 (line 1): spec.replicas`. */
  readonly place: string;
  readonly isSecret: boolean;
}

interface Scope {
  readonly origin: string;
  readonly variables: ReadonlyMap<string, PipelineVariable>;
  readonly problems: Problem[];
  readonly isSecretObject: boolean;
}

/** `$$` is Kubernetes' own escape: what follows it is no reference. */
const reference = /\$\$|\$\(([A-Za-z0-9_][\w.-]*)\)/g;
const expanded = ['command', 'args', 'env'];

/** The variables that the container itself defines, which Kubernetes puts into these fields. */
function ownNames(container: Record<string, unknown>): string[] {
  const { env } = container;
  const entries = Array.isArray(env) ? env.filter(isRecord) : [];
  return entries.map((entry) => String(entry['name']));
}

function inText(text: string, path: string, own: ReadonlySet<string>, scope: Scope): string {
  return text.replace(reference, (written, name: string | undefined) => {
    if (name === undefined || own.has(name)) return written;
    const variable = scope.variables.get(name.toLowerCase());
    const mayBeSecret = scope.isSecretObject && /^(data|stringData)\./.test(path);
    if (variable !== undefined && (mayBeSecret || !variable.isSecret)) return variable.value;
    scope.problems.push({ name, place: `${scope.origin}: ${path}`, isSecret: variable !== undefined });
    return written;
  });
}

function inValue(value: unknown, path: string, own: ReadonlySet<string>, scope: Scope): unknown {
  if (typeof value === 'string') return inText(value, path, own, scope);
  if (Array.isArray(value)) return value.map((one, at) => inValue(one, `${path}[${at}]`, own, scope));
  if (!isRecord(value)) return value;
  const inContainer = new Set([...own, ...ownNames(value)]);
  const entries = Object.entries(value).map(([key, one]) => {
    const names = expanded.includes(key) ? inContainer : own;
    return [key, inValue(one, path === '' ? key : `${path}.${key}`, names, scope)];
  });
  return Object.fromEntries(entries) as unknown;
}

function refuse(problems: readonly Problem[]): void {
  if (problems.length === 0) return;
  const lines = problems.map(
    ({ name, place, isSecret }) => `${place}: $(${name}) is ${isSecret ? 'secret' : 'not set'}`,
  );
  throw new DeliveryError({
    code: 'MANIFEST_VARIABLE',
    side: 'input',
    message: [
      "Manifests name pipeline variables that cannot be put there ('substituteVariables'):",
      ...lines,
    ].join('\n  '),
    remedy:
      "Set the variables for this job. A secret one is put only into 'data' and 'stringData' of a Secret. What Kubernetes itself is to replace must be defined in the same container's 'env'; what is no variable is written $$(name) there.",
  });
}

/**
 * The objects with `$(name)` in their texts replaced by the pipeline's variables. Replaced are texts that have been
 * parsed, so that no value can add a field; keys are not. Throws MANIFEST_VARIABLE with every name that has no
 * value, and every secret that would stand outside of a Secret.
 * Kubernetes' own references: https://kubernetes.io/docs/tasks/inject-data-application/define-interdependent-environment-variables/
 */
export function substitute(
  manifests: readonly Manifest[],
  pipelineVariables: readonly PipelineVariable[],
): Manifest[] {
  const variables = new Map(
    pipelineVariables.filter(({ value }) => value !== '').map((one) => [one.name.toLowerCase(), one]),
  );
  const problems: Problem[] = [];
  const replaced = manifests.map(({ origin, object }) => {
    const isSecretObject = object.kind === 'Secret' && object.apiVersion === 'v1';
    const scope = { origin, variables, problems, isSecretObject };
    return { origin, object: inValue(object, '', new Set(), scope) as KubeObject };
  });
  refuse(problems);
  return replaced;
}
