import type { Service } from 'kubernetes-types/core/v1.d.ts';
import { DeliveryError } from '../../errors.ts';
import type { Log } from '../../host/host.ts';
import type { KubeClient } from '../api/client.ts';
import { eventsAbout } from '../api/events.ts';
import { watchUntil } from '../api/watchUntil.ts';
import { describe, type KubeObject, refOf } from '../objects/objects.ts';

/** Where users reach the application. */
export interface Address {
  /** IP address or host name that the load balancer has. */
  readonly external: string;
  /** For example `http://20.1.2.3` or `https://host:8443`. */
  readonly url: string;
}

function externalOf(service: KubeObject): string | undefined {
  const [ingress] = (service as Service).status?.loadBalancer?.ingress ?? [];
  return ingress?.ip ?? ingress?.hostname;
}

/** The address in a live Service; undefined while the load balancer has none. */
export function addressOf(service: KubeObject): Address | undefined {
  const external = externalOf(service);
  if (external === undefined) return undefined;
  const [first] = (service as Service).spec?.ports ?? [];
  const port = first?.port ?? 80;
  const isSecure = port === 443 || first?.name === 'https';
  const host = external.includes(':') ? `[${external}]` : external;
  const shown = port === (isSecure ? 443 : 80) ? '' : `:${port}`;
  return { external, url: `${isSecure ? 'https' : 'http'}://${host}${shown}` };
}

/** True for a Service that a load balancer is to serve. */
export function wantsLoadBalancer(object: KubeObject): boolean {
  return object.kind === 'Service' && (object as Service).spec?.type === 'LoadBalancer';
}

async function refusals(client: KubeClient, object: KubeObject, signal: AbortSignal): Promise<string> {
  const events = await eventsAbout(client, refOf(object), signal).catch(() => []);
  const warnings = events.filter((event) => event['type'] === 'Warning');
  return warnings.map((event) => String(event['message'])).at(-1) ?? 'the cluster reports no reason';
}

export interface AddressOptions {
  readonly timeoutMs: number;
  readonly log: Log;
  readonly signal: AbortSignal;
}

/** Waits until the Service's load balancer has an address. Throws ADDRESS_TIMEOUT with the cluster's reason. */
export async function waitForAddress(
  client: KubeClient,
  service: KubeObject,
  options: AddressOptions,
): Promise<Address> {
  const known = addressOf(service);
  if (known !== undefined) return known;
  const subject = describe(refOf(service));
  options.log.info(`${subject}: waiting for the load balancer's address`);
  const { namespace = 'default', name } = service.metadata;
  const only = { apiVersion: 'v1', kind: 'Service', namespace, fieldSelector: `metadata.name=${name}` };
  const { answer } = await watchUntil(client, [only], options, ([services]) =>
    services?.map(addressOf).find((address) => address !== undefined),
  );
  if (answer !== undefined) return answer;
  const remedy = "Check the cluster's load balancer and its quota of addresses, or raise 'addressTimeout'.";
  throw await noAddress(client, service, remedy, options);
}

/** An object that got no address in its time, with what the cluster says of it. */
export async function noAddress(
  client: KubeClient,
  object: KubeObject,
  remedy: string,
  { timeoutMs, signal }: AddressOptions,
): Promise<DeliveryError> {
  const why = await refusals(client, object, signal);
  return new DeliveryError({
    code: 'ADDRESS_TIMEOUT',
    side: 'cluster',
    message: `${describe(refOf(object))} got no load-balancer address within ${timeoutMs / 1000} s: ${why}.`,
    remedy,
  });
}
