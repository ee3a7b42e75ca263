import type { Manifest } from '../manifests/manifests.ts';
import { isRecord, type KubeObject } from '../objects/objects.ts';
import type { Change } from '../plan/plan.ts';

/** A Service that an HTTPRoute's rule sends requests to. https://gateway-api.sigs.k8s.io/reference/spec/#httpbackendref */
interface BackendRef {
  readonly name: string;
  readonly namespace?: string;
  readonly group?: string;
  readonly kind?: string;
  /** Share of the requests, relative to the rule's other backends; 1 where it is left out. */
  readonly weight?: number;
}

interface Rule {
  readonly backendRefs?: readonly BackendRef[];
}

interface Condition {
  readonly type: string;
  readonly status: string;
  readonly reason?: string;
  readonly message?: string;
  readonly observedGeneration?: number;
}

interface ParentStatus {
  readonly parentRef?: { readonly name?: string };
  readonly conditions?: readonly Condition[];
}

/** Weights are whole numbers, so a share of one percent needs each of them a hundredfold. */
const scale = 100;
/** The largest weight that the Gateway API takes. */
export const largestWeight = 1_000_000 / scale;

const canarySuffix = '-canary';

/** The Service that sends a route's share to the new pods of a canary. */
export function canaryNameOf(service: string): string {
  return `${service.slice(0, 63 - canarySuffix.length)}${canarySuffix}`;
}

function specOf(route: KubeObject): Readonly<Record<string, unknown>> {
  return isRecord(route['spec']) ? route['spec'] : {};
}

function rulesOf(route: KubeObject): readonly Rule[] {
  const { rules } = specOf(route);
  return Array.isArray(rules) ? (rules as Rule[]) : [];
}

function withBackends(
  route: KubeObject,
  change: (backends: readonly BackendRef[]) => readonly BackendRef[],
): KubeObject {
  const rules = rulesOf(route).map((rule) =>
    rule.backendRefs === undefined ? rule : { ...rule, backendRefs: change(rule.backendRefs) },
  );
  return { ...route, spec: { ...specOf(route), rules } };
}

function isService(backend: BackendRef, route: KubeObject): boolean {
  const isHere = backend.namespace === undefined || backend.namespace === route.metadata.namespace;
  return isHere && (backend.kind ?? 'Service') === 'Service' && (backend.group ?? '') === '';
}

/** The backends of a route that are Services of its own namespace. */
export function servicesOf(route: KubeObject): BackendRef[] {
  const backends = rulesOf(route).flatMap((rule) => rule.backendRefs ?? []);
  return backends.filter((backend) => isService(backend, route));
}

/**
 * The route with this percentage of each of these Services' requests sent to its canary's Service. What a rule sends to
 * others, and in which proportion, stays as it was.
 */
export function withShare(route: KubeObject, services: readonly string[], percent: number): KubeObject {
  return withBackends(route, (backends) => {
    const isSplit = (one: BackendRef): boolean => isService(one, route) && services.includes(one.name);
    if (!backends.some(isSplit)) return backends;
    return backends.flatMap((backend) => {
      const weight = backend.weight ?? 1;
      if (!isSplit(backend)) return [{ ...backend, weight: weight * scale }];
      const canary = { ...backend, name: canaryNameOf(backend.name), weight: weight * percent };
      return [{ ...backend, weight: weight * (scale - percent) }, canary];
    });
  });
}

/** True where a canary's share is in the route, for example one that an interrupted release left behind. */
export function hasShare(route: KubeObject | undefined): boolean {
  if (route?.kind !== 'HTTPRoute') return false;
  return rulesOf(route).some((rule) => withoutCanaries(rule.backendRefs ?? []) !== undefined);
}

/** The backends as they were before {@link withShare}; undefined where no share is in them. */
function withoutCanaries(backends: readonly BackendRef[]): BackendRef[] | undefined {
  const stable = backends.filter(
    (one, at) => at === 0 || one.name !== canaryNameOf(backends[at - 1]?.name ?? ''),
  );
  if (stable.length === backends.length) return undefined;
  return stable.map((one) => {
    const canary = backends.find((other) => other.name === canaryNameOf(one.name));
    return { ...one, weight: ((one.weight ?? 1) + (canary?.weight ?? 0)) / scale };
  });
}

/** The route without the share of a canary. */
export function withoutShare(route: KubeObject): KubeObject {
  return withBackends(route, (backends) => withoutCanaries(backends) ?? backends);
}

/** The change, with the undivided route to put back where an interrupted canary left it divided. */
export function withFormerRoute<M extends Manifest>(change: Change<M>): Change<M> {
  const { live, snapshot } = change;
  if (live === undefined || !hasShare(live)) return change;
  return { ...change, snapshot: snapshot ?? withoutShare(live) };
}

/** What a route's Gateways say of its present state: `true` when they all have taken it in, else what is missing. */
export function acceptance(route: KubeObject): { readonly accepted: boolean; readonly why: string } {
  const status = isRecord(route['status']) ? route['status'] : {};
  const parents = (status['parents'] ?? []) as readonly ParentStatus[];
  const { parentRefs } = specOf(route);
  const wanted = Array.isArray(parentRefs) ? parentRefs.length : 0;
  if (wanted === 0) return { accepted: false, why: 'it names no Gateway' };
  if (parents.length < wanted) return { accepted: false, why: 'no Gateway has answered for it' };
  const lacks = parents.flatMap((parent) =>
    ['Accepted', 'ResolvedRefs'].flatMap((type) => lackOf(parent, type, route.metadata.generation ?? 0)),
  );
  return { accepted: lacks.length === 0, why: lacks.join('; ') };
}

/** Conditions of an earlier generation say nothing about the present one. */
function lackOf(parent: ParentStatus, type: string, generation: number): string[] {
  const condition = parent.conditions?.find((one) => one.type === type);
  const subject = `Gateway '${parent.parentRef?.name ?? ''}'`;
  if (condition === undefined || (condition.observedGeneration ?? 0) < generation) {
    return [`${subject} has not taken its newest state in`];
  }
  if (condition.status === 'True') return [];
  return [`${subject} says ${type} ${condition.status}: ${condition.message || condition.reason || ''}`];
}
