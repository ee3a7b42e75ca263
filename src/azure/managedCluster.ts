import { explainAks } from './aksRefused.ts';
import type { AksTarget } from './aksTarget.ts';
import { type Arm, armFields } from './arm.ts';

/** What the resource manager says of a cluster, as far as the way into it depends on it. */
export interface ClusterFacts {
  /** Its API server has an address in the cluster's own network only. */
  readonly isPrivate: boolean;
  /** Its users sign in by Entra, so that a command needs a token for the cluster. */
  readonly usesEntra: boolean;
  /** Of Kubernetes, for example `v1.33.2`. */
  readonly version: string;
}

/** Oldest version with all that is read here and every action used here that every cloud serves. */
export const aksApiVersion = '2024-05-01';

/** The cluster's path in the resource manager. */
export function clusterPath(target: Pick<AksTarget, 'subscriptionId' | 'resourceGroup' | 'cluster'>): string {
  const { subscriptionId, resourceGroup, cluster } = target;
  const [subscription, group, name] = [subscriptionId, resourceGroup, cluster].map(encodeURIComponent);
  return `/subscriptions/${subscription}/resourceGroups/${group}/providers/Microsoft.ContainerService/managedClusters/${name}`;
}

function fieldsIn(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
}

/**
 * Reads what is known of the cluster. Throws what {@link explainAks} makes of a refusal.
 * https://learn.microsoft.com/rest/api/aks/managed-clusters/get
 */
export async function readCluster(arm: Arm, target: AksTarget): Promise<ClusterFacts> {
  try {
    const request = { method: 'GET', path: clusterPath(target), apiVersion: aksApiVersion } as const;
    const properties = fieldsIn((await armFields(arm, request))['properties']);
    return {
      isPrivate: fieldsIn(properties['apiServerAccessProfile'])['enablePrivateCluster'] === true,
      version: `v${String(properties['currentKubernetesVersion'] ?? properties['kubernetesVersion'] ?? '')}`,
      usesEntra: fieldsIn(properties['aadProfile'])['managed'] === true,
    };
  } catch (error) {
    throw explainAks(error, target, 'read');
  }
}
