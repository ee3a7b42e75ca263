import type { Answer, Asked } from '../identity/server.ts';
import { refused, versionRefusal } from './armRefusals.ts';

/** A resource as lists of the resource manager show it. */
export interface ListedResource {
  /** For example `Microsoft.ContainerRegistry/registries`. */
  readonly type: string;
  readonly subscriptionId: string;
  readonly resourceGroup: string;
  readonly name: string;
  readonly properties?: Readonly<Record<string, unknown>>;
}

/** The types that can be listed, with the versions that are known of each. */
const versions: Readonly<Record<string, ReadonlySet<string>>> = {
  'microsoft.containerservice/managedclusters': new Set(['2024-05-01', '2024-09-01', '2025-03-01']),
  'microsoft.containerregistry/registries': new Set(['2023-07-01', '2025-04-01', '2025-11-01']),
  'microsoft.storage/storageaccounts': new Set(['2015-06-15', '2023-05-01']),
};

const route = /^\/+subscriptions\/([^/]+)(?:\/resourceGroups\/([^/]+))?\/providers\/(Microsoft\.\w+\/\w+)$/i;

function same(wanted: string | undefined, found: string): boolean {
  return wanted === undefined || wanted.toLowerCase() === found.toLowerCase();
}

/** The answer to a list of a subscription's or a group's resources; undefined for any other request. */
export function listOf(resources: readonly ListedResource[], request: Asked): Answer | undefined {
  const [, subscription, group, type = ''] = route.exec(decodeURIComponent(request.url.pathname)) ?? [];
  const known = versions[type.toLowerCase()];
  if (known === undefined || request.method !== 'GET') return undefined;
  const wrongVersion = versionRefusal(request.url.searchParams.get('api-version'), known);
  if (wrongVersion !== undefined) return wrongVersion;
  const inSubscription = resources.filter((one) => same(subscription, one.subscriptionId));
  if (inSubscription.length === 0) {
    return refused(404, 'SubscriptionNotFound', `The subscription '${subscription}' could not be found.`);
  }
  const found = inSubscription.filter((one) => same(group, one.resourceGroup) && same(type, one.type));
  const value = found.map(({ name, properties = {}, ...one }) => ({
    id: `/subscriptions/${one.subscriptionId}/resourceGroups/${one.resourceGroup}/providers/${one.type}/${name}`,
    name,
    type: one.type,
    location: 'westeurope',
    properties,
  }));
  return { status: 200, json: { value } };
}
