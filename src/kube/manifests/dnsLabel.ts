import type { KubeClient } from '../api/client.ts';
import { ApiError } from '../api/statusError.ts';
import type { KubeObject } from '../objects/objects.ts';

/** Azure gives the load balancer's address this name within its region. https://cloud-provider-azure.sigs.k8s.io/topics/loadbalancer/ */
const annotation = 'service.beta.kubernetes.io/azure-dns-label-name';

/** The Service with the label, unless its manifest names one. */
export function withDnsLabel(service: KubeObject, label: string): KubeObject {
  const { metadata } = service;
  return {
    ...service,
    metadata: { ...metadata, annotations: { [annotation]: label, ...metadata.annotations } },
  };
}

function zoneOf(region: string): string {
  if (region.startsWith('china')) return 'cloudapp.chinacloudapi.cn';
  return /^us(gov|dod)/.test(region) ? 'cloudapp.usgovcloudapi.net' : 'cloudapp.azure.com';
}

/** The nodes' region; undefined where they have none, or may not be listed. */
async function regionOf(client: KubeClient, signal: AbortSignal): Promise<string | undefined> {
  const label = 'topology.kubernetes.io/region';
  const nodes = { apiVersion: 'v1', kind: 'Node', namespace: '', labelSelector: label };
  try {
    const { items } = await client.list(nodes, signal);
    return items[0]?.metadata.labels?.[label];
  } catch (error) {
    if (error instanceof ApiError && error.status === 403) return undefined;
    throw error;
  }
}

/** The DNS name that a live Service has by its label; undefined without one, or where the region is not known. */
export async function dnsNameOf(
  client: KubeClient,
  service: KubeObject,
  signal: AbortSignal,
): Promise<string | undefined> {
  const label = service.metadata.annotations?.[annotation];
  const region = label === undefined ? undefined : await regionOf(client, signal);
  return region === undefined ? undefined : `${label}.${region}.${zoneOf(region)}`;
}
