import type { KubeClient } from '../api/client.ts';
import type { Right } from '../api/right.ts';
import { isRecord } from '../objects/objects.ts';

/** What an identity may do to which resources of one namespace. */
interface Rule {
  readonly verbs?: readonly string[];
  readonly apiGroups?: readonly string[];
  readonly resources?: readonly string[];
  /** The rule is for these objects only. */
  readonly resourceNames?: readonly string[];
}

function includes(list: readonly string[] | undefined, wanted: string): boolean {
  return list?.includes('*') === true || list?.includes(wanted) === true;
}

function allows(rule: Rule, right: Right): boolean {
  if ((rule.resourceNames ?? []).length > 0) return false;
  return (
    includes(rule.verbs, right.verb) &&
    includes(rule.apiGroups, right.group) &&
    includes(rule.resources, right.resource)
  );
}

async function rulesOf(client: KubeClient, namespace: string, signal: AbortSignal): Promise<Rule[]> {
  const { status } = await client.rules(namespace, signal);
  const rules = isRecord(status) ? status['resourceRules'] : undefined;
  return Array.isArray(rules) ? (rules as Rule[]) : [];
}

/**
 * The rights that the cluster's own roles do not show to be there: one request a namespace tells of most at once. Where another
 * authoriser decides (AKS with Azure RBAC) the list is incomplete, and what is not in it has to be asked one by one.
 */
export async function notInRules(
  client: KubeClient,
  rights: readonly Right[],
  signal: AbortSignal,
): Promise<Right[]> {
  const namespaces = new Set(rights.flatMap(({ namespace }) => (namespace === undefined ? [] : [namespace])));
  const known = await Promise.all(
    [...namespaces].map(async (name) => [name, await rulesOf(client, name, signal)] as const),
  );
  const rules = new Map<string | undefined, Rule[]>(known);
  return rights.filter((right) => !(rules.get(right.namespace) ?? []).some((rule) => allows(rule, right)));
}
