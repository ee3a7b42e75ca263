import type { KubeObject, ObjectRef } from '../objects/objects.ts';
import type { KubeClient } from './client.ts';

/** What the cluster tells of an object. https://kubernetes.io/docs/reference/kubernetes-api/cluster-resources/event-v1/ */
export async function eventsAbout(
  client: Pick<KubeClient, 'list'>,
  { kind, name, namespace = 'default' }: Pick<ObjectRef, 'kind' | 'name' | 'namespace'>,
  signal: AbortSignal,
): Promise<readonly KubeObject[]> {
  const fieldSelector = `involvedObject.kind=${kind},involvedObject.name=${name}`;
  const events = { apiVersion: 'v1', kind: 'Event', namespace, fieldSelector };
  return (await client.list(events, signal)).items;
}

/** When an event was seen last, as a text that sorts by time; empty where it does not tell. */
export function eventTime(event: KubeObject): string {
  return String(event['lastTimestamp'] ?? event['eventTime'] ?? event.metadata.creationTimestamp ?? '');
}
