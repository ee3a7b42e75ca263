import type { Service } from 'kubernetes-types/core/v1.d.ts';
import type { Right } from '../api/right.ts';
import { describe, type KubeObject, refOf } from '../objects/objects.ts';
import type { Change } from '../plan/plan.ts';
import { serves } from './hold.ts';
import { acceptance, largestWeight, servicesOf } from './httpRoute.ts';

/** How a canary gets its part of the users. */
export type CanaryTraffic =
  | {
      readonly by: 'weights';
      readonly routes: readonly Change[];
      /** Those that the routes send to. */
      readonly services: readonly Change[];
    }
  | { readonly by: 'replicas'; readonly why: string };

function sendsTo(route: KubeObject, services: readonly Change[]): boolean {
  const names = services.map((service) => service.planned.metadata.name);
  const isNear = services.some(({ planned }) => planned.metadata.namespace === route.metadata.namespace);
  return isNear && servicesOf(route).some((backend) => names.includes(backend.name));
}

function obstacle(route: Change, services: readonly Change[]): string | undefined {
  const subject = describe(refOf(route.planned));
  if (route.live === undefined || services.some((service) => service.live === undefined)) {
    return `${subject} or its Service is new with this release`;
  }
  const headless = services.find(({ live }) => (live as Service | undefined)?.spec?.type === 'ExternalName');
  if (headless !== undefined) return `${describe(refOf(headless.planned))} is an external name`;
  if (servicesOf(route.planned).some((backend) => (backend.weight ?? 1) > largestWeight)) {
    return `${subject} has weights above ${largestWeight}, which cannot be divided`;
  }
  const { accepted, why } = acceptance(route.live);
  return accepted ? undefined : `${subject} is not in use: ${why}`;
}

/** By the weights of the HTTPRoutes that send to this workload where they are in use, else by the number of pods. */
export function canaryTraffic(
  workload: Change,
  changes: readonly Change[],
  asked: 'auto' | 'replicas' | 'weights',
): CanaryTraffic {
  if (asked === 'replicas') return { by: 'replicas', why: "'canaryTraffic: replicas' asks for it" };
  const serving = changes.filter((change) => serves(change.planned, workload.planned));
  const routes = changes.filter(
    ({ planned }) =>
      planned.kind === 'HTTPRoute' &&
      planned.apiVersion === 'gateway.networking.k8s.io/v1' &&
      sendsTo(planned, serving),
  );
  if (routes.length === 0) return { by: 'replicas', why: 'no HTTPRoute of this release sends users to it' };
  const services = serving.filter((service) => routes.some((route) => sendsTo(route.planned, [service])));
  const why = routes.map((route) => obstacle(route, services)).find((text) => text !== undefined);
  return why === undefined ? { by: 'weights', routes, services } : { by: 'replicas', why };
}

/** The rights that a canary by weights needs beyond those of the release. */
export function weightRights(namespace: string): Right[] {
  const gateway = 'gateway.networking.k8s.io';
  const needed: readonly (readonly [string, string, readonly string[]])[] = [
    ['', 'services', ['get', 'create', 'patch', 'delete']],
    ['discovery.k8s.io', 'endpointslices', ['list', 'watch']],
    [gateway, 'httproutes', ['get', 'patch', 'list', 'watch']],
  ];
  return needed.flatMap(([group, resource, verbs]) =>
    verbs.map((verb) => ({ verb, group, resource, namespace, required: true })),
  );
}
