import { DeliveryError } from '../../errors.ts';
import type { Log } from '../../host/host.ts';
import { mapParallel } from '../../parallel.ts';
import { azureRoleRemedy, byAzureRoles } from '../api/azureRoles.ts';
import type { KubeClient } from '../api/client.ts';
import type { Resource } from '../api/discovery.ts';
import type { Right } from '../api/right.ts';
import { isRecord } from '../objects/objects.ts';
import { rolloutKinds } from '../objects/workload.ts';
import type { Change } from './plan.ts';
import { notInRules } from './rules.ts';

const reviewsAtOnce = 8;

function rights(
  verbs: readonly string[],
  resource: Pick<Resource, 'group' | 'plural'>,
  namespace: string | undefined,
  required = true,
): Right[] {
  return verbs.map((verb) => ({
    verb,
    group: resource.group,
    resource: resource.plural,
    required,
    ...(namespace === undefined ? {} : { namespace }),
  }));
}

/** What watching a workload of this kind reads beside the workload itself. */
function watching(kind: string, resource: Resource, namespace: string | undefined): Right[] {
  if (!rolloutKinds.includes(kind)) return [];
  const core = (plural: string): Pick<Resource, 'group' | 'plural'> => ({ group: '', plural });
  const sets = kind === 'Deployment' ? [{ group: 'apps', plural: 'replicasets' }] : [];
  return [
    ...[resource, core('pods'), ...sets].flatMap((one) => rights(['list', 'watch'], one, namespace)),
    ...rights(['get'], core('pods/log'), namespace, false),
    ...rights(['list'], core('events'), namespace, false),
  ];
}

async function rightsOf(client: KubeClient, change: Change, signal: AbortSignal): Promise<Right[]> {
  const { apiVersion, kind, metadata } = change.planned;
  const resource = await client.resource(apiVersion, kind, signal);
  const verbs = change.action === 'create' ? ['patch', 'create'] : ['patch'];
  return [
    ...(change.action === 'none' ? [] : rights(verbs, resource, metadata.namespace)),
    ...watching(kind, resource, metadata.namespace),
    ...(kind === 'Service' && change.action === 'create'
      ? rights(['list', 'watch'], resource, metadata.namespace)
      : []),
  ];
}

function key(right: Right): string {
  return [right.verb, right.group, right.resource, right.namespace].join(' ');
}

/** All rights that these changes need, each once. */
export async function neededRights(
  client: KubeClient,
  changes: readonly Change[],
  signal: AbortSignal,
): Promise<Right[]> {
  const all = await Promise.all(changes.map((change) => rightsOf(client, change, signal)));
  return [...new Map(all.flat().map((right) => [key(right), right])).values()];
}

/** Why the identity may not do this, in the words of the cluster's authoriser; undefined where it may. */
async function denialOf(client: KubeClient, right: Right, signal: AbortSignal): Promise<string | undefined> {
  const [resource, subresource] = right.resource.split('/');
  const { verb, group, namespace } = right;
  const resourceAttributes = { verb, group, resource, namespace, subresource };
  const review = await client.review(resourceAttributes, signal);
  const status = isRecord(review['status']) ? review['status'] : {};
  return status['allowed'] === true ? undefined : String(status['reason'] ?? '');
}

function inWords(missing: readonly Right[]): string {
  const places = new Map<string, string[]>();
  for (const { verb, group, resource, namespace } of missing) {
    const name = group === '' ? resource : `${resource}.${group}`;
    const place = `${name} ${namespace === undefined ? 'in the whole cluster' : `in namespace '${namespace}'`}`;
    places.set(place, [...(places.get(place) ?? []), verb]);
  }
  return [...places].map(([place, verbs]) => `${verbs.join(', ')} ${place}`).join('; ');
}

function remedyFor(missing: readonly Right[], reasons: string): string {
  const isForCluster = missing.some((right) => right.namespace === undefined);
  const verbs = missing.map((right) => right.verb);
  return byAzureRoles(reasons)
    ? azureRoleRemedy(verbs, isForCluster ? undefined : missing[0]?.namespace)
    : 'Grant them by a Role; docs/deploy-to-aks.md has the smallest one.';
}

/**
 * Asks the API server, before anything changes, whether this identity may do all that the changes need (its
 * rules in one request, then one SelfSubjectAccessReview for each right that they do not show). Throws RIGHTS_MISSING that names every missing right; those that only
 * diagnosis needs are a warning.
 */
export async function preflight(
  client: KubeClient,
  changes: readonly Change[],
  options: { readonly extra: readonly Right[]; readonly log: Log; readonly signal: AbortSignal },
): Promise<void> {
  const all = [...(await neededRights(client, changes, options.signal)), ...options.extra];
  const needed = await notInRules(client, all, options.signal);
  const denials = await mapParallel(needed, reviewsAtOnce, (right) =>
    denialOf(client, right, options.signal),
  );
  const missing = needed.filter((_, index) => denials[index] !== undefined);
  const fatal = missing.filter((right) => right.required);
  if (fatal.length > 0) {
    throw new DeliveryError({
      code: 'RIGHTS_MISSING',
      side: 'cluster',
      message: `This identity lacks rights that the release needs: ${inWords(fatal)}. Nothing was changed.`,
      remedy: remedyFor(fatal, denials.join(' ')),
    });
  }
  if (missing.length > 0) {
    options.log.warning(
      `A failure would be explained less well, since these rights are missing: ${inWords(missing)}.`,
    );
  }
}
