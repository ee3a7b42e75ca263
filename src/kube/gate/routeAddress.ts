import { setTimeout as sleep } from 'node:timers/promises';
import type { Ingress } from 'kubernetes-types/networking/v1.d.ts';
import type { KubeClient } from '../api/client.ts';
import { describe, isRecord, type KubeObject, refOf } from '../objects/objects.ts';
import { type Address, type AddressOptions, noAddress } from './address.ts';

const askEveryMs = 1000;

function ingressAddress(object: KubeObject): Address | undefined {
  const { spec, status } = object as Ingress;
  const [balancer] = status?.loadBalancer?.ingress ?? [];
  const host = spec?.rules?.find((rule) => rule.host !== undefined)?.host;
  const given = balancer?.ip ?? balancer?.hostname;
  const name = host?.startsWith('*.') === true ? undefined : host;
  if (name === undefined && given === undefined) return undefined;
  const scheme = (spec?.tls ?? []).length > 0 ? 'https' : 'http';
  return { external: given ?? name ?? '', url: `${scheme}://${name ?? given}` };
}

interface RouteSpec {
  readonly hostnames?: readonly string[];
  readonly parentRefs?: readonly { readonly name: string; readonly namespace?: string }[];
}

async function routeAddress(
  route: KubeObject,
  client: KubeClient,
  signal: AbortSignal,
): Promise<Address | undefined> {
  const { hostnames, parentRefs } = (route['spec'] ?? {}) as RouteSpec;
  const [parent] = parentRefs ?? [];
  if (parent === undefined) return undefined;
  const namespace = parent.namespace ?? route.metadata.namespace ?? 'default';
  const ref = { apiVersion: route.apiVersion, kind: 'Gateway', name: parent.name, namespace };
  const gateway = await client.get(ref, signal).catch(() => undefined);
  const spec = isRecord(gateway?.['spec']) ? gateway['spec'] : {};
  const status = isRecord(gateway?.['status']) ? gateway['status'] : {};
  const listeners = (spec['listeners'] ?? []) as readonly { protocol?: string }[];
  const [given] = (status['addresses'] ?? []) as readonly { value?: string }[];
  const name = hostnames?.find((one) => !one.startsWith('*.'));
  const host = name ?? given?.value;
  if (host === undefined) return undefined;
  const scheme = listeners.some(({ protocol }) => protocol === 'HTTPS') ? 'https' : 'http';
  return { external: given?.value ?? host, url: `${scheme}://${host}` };
}

/** True for what sends users to a Service by host name and path. */
export function isRoute({ kind }: KubeObject): boolean {
  return kind === 'Ingress' || kind === 'HTTPRoute';
}

/** Where users reach a live Ingress or HTTPRoute: its host, else its controller's address; undefined without either. */
export async function addressOfRoute(
  route: KubeObject,
  client: KubeClient,
  signal: AbortSignal,
): Promise<Address | undefined> {
  return route.kind === 'Ingress' ? ingressAddress(route) : routeAddress(route, client, signal);
}

/**
 * The same, waited for where it has no host and its controller has given it no address yet: that comes seconds after
 * it was made. Throws ADDRESS_TIMEOUT.
 */
export async function waitForRoute(
  client: KubeClient,
  route: KubeObject,
  options: AddressOptions,
): Promise<Address> {
  const { log, signal, timeoutMs } = options;
  const endsAt = performance.now() + timeoutMs;
  for (let live: KubeObject | undefined = route, isTold = false; ; isTold = true) {
    const address = live === undefined ? undefined : await addressOfRoute(live, client, signal);
    if (address !== undefined) return address;
    if (performance.now() >= endsAt) break;
    if (!isTold) log.info(`${describe(refOf(route))}: waiting for its controller's address`);
    await sleep(askEveryMs, undefined, { signal });
    live = await client.get(refOf(route), signal);
  }
  const remedy =
    "Look after the controller of this Ingress or Gateway (its class, its own Service), or raise 'addressTimeout'.";
  throw await noAddress(client, route, remedy, options);
}
