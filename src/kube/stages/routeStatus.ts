import { setTimeout as sleep } from 'node:timers/promises';
import { within } from '../../deadline.ts';
import { DeliveryError } from '../../errors.ts';
import type { KubeClient } from '../api/client.ts';
import { watchUntil } from '../api/watchUntil.ts';
import { describe, type KubeObject, refOf } from '../objects/objects.ts';
import { acceptance } from './httpRoute.ts';

const answerMs = 60_000;
const followMs = 8000;
/** A Gateway's status tells that its control plane knows the route; its proxies follow within a second or two. */
const proxiesMs = 2000;

/** Waits until every Gateway of the route has taken its present state in. Throws ROUTE_NOT_ACCEPTED. */
export async function waitAccepted(
  client: KubeClient,
  route: KubeObject,
  signal: AbortSignal,
): Promise<void> {
  const { apiVersion, kind, metadata } = route;
  const { namespace = 'default', name } = metadata;
  const only = { apiVersion, kind, namespace, fieldSelector: `metadata.name=${name}` };
  const generation = metadata.generation ?? 0;
  const isCurrent = (one: KubeObject): boolean => (one.metadata.generation ?? 0) >= generation;
  const { answer, seen } = await watchUntil(
    client,
    [only],
    { timeoutMs: answerMs, signal },
    ([found]) => found?.some((one) => isCurrent(one) && acceptance(one).accepted) || undefined,
  );
  if (answer === true) return;
  const [last] = seen[0] ?? [];
  throw new DeliveryError({
    code: 'ROUTE_NOT_ACCEPTED',
    side: 'cluster',
    message: `${describe(refOf(route))} was changed, but is not in use after ${answerMs / 1000} s: ${acceptance(last ?? route).why}.`,
    remedy: "Look at the Gateway's controller and its log, or set 'canaryTraffic: replicas'.",
  });
}

/**
 * Gives a route another state and waits until requests follow it, some seconds at most: a Gateway that does not answer
 * is no reason to leave it out.
 */
export async function putRouteBack(
  client: KubeClient,
  wanted: KubeObject,
  signal: AbortSignal,
): Promise<KubeObject> {
  const before = await client.get(refOf(wanted), signal);
  const route = await client.apply(wanted, { dryRun: false, force: true }, signal);
  if (before?.metadata.generation === route.metadata.generation) return route;
  const limit = within(followMs, signal);
  await waitAccepted(client, route, limit).catch(() => undefined);
  await sleep(proxiesMs);
  return route;
}
