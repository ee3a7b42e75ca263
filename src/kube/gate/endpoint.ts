import { DeliveryError } from '../../errors.ts';
import type { Log } from '../../host/host.ts';
import type { KubeClient } from '../api/client.ts';
import { dnsNameOf } from '../manifests/dnsLabel.ts';
import { describe, type KubeObject, refOf } from '../objects/objects.ts';
import type { Change } from '../plan/plan.ts';
import { type Address, waitForAddress, wantsLoadBalancer } from './address.ts';
import { probe } from './probe.ts';
import { addressOfRoute, isRoute, waitForRoute } from './routeAddress.ts';

export interface ReachOptions {
  readonly client: KubeClient;
  readonly log: Log;
  readonly signal: AbortSignal;
  readonly addressTimeoutMs: number;
  readonly probePath?: string;
  readonly probeTimeoutMs: number;
  /** Whether the pods behind the address have just been changed. */
  readonly isChanged: boolean;
}

/** Good answers in a row: their two seconds outlast the time that nodes need to follow a change of pods. */
const answersAfterChange = 5;

/** Throws NOTHING_TO_PROBE when there will be no address that could be asked. */
export function checkProbe(probePath: string | undefined, changes: readonly Change[]): void {
  const isReachable = ({ planned }: Change): boolean => wantsLoadBalancer(planned) || isRoute(planned);
  if (probePath === undefined || changes.some(isReachable)) return;
  throw new DeliveryError({
    code: 'NOTHING_TO_PROBE',
    side: 'input',
    message:
      "Input 'probePath' is set, but no Service of type LoadBalancer, Ingress or HTTPRoute is deployed that could be asked.",
    remedy: "Leave 'probePath' empty, or deploy one of these.",
  });
}

/** Nobody waits for an address that is not asked; a probe has to be sent somewhere. */
async function withoutService(
  route: KubeObject | undefined,
  { client, log, signal, addressTimeoutMs: timeoutMs, probePath }: ReachOptions,
): Promise<Address | undefined> {
  if (route === undefined) return undefined;
  if (probePath !== undefined) return waitForRoute(client, route, { log, signal, timeoutMs });
  log.info(`${describe(refOf(route))} has no host and no address yet`);
  return undefined;
}

/** Where users are sent first: by an Ingress or HTTPRoute that has a place, else by a load balancer's Service. */
async function findAddress(live: readonly KubeObject[], options: ReachOptions): Promise<Address | undefined> {
  const { client, log, signal, addressTimeoutMs: timeoutMs } = options;
  const route = live.find(isRoute);
  const routed = route === undefined ? undefined : await addressOfRoute(route, client, signal);
  const service = live.find(wantsLoadBalancer);
  if (routed !== undefined) return routed;
  if (service === undefined) return withoutService(route, options);
  const address = await waitForAddress(client, service, { log, signal, timeoutMs });
  const name = await dnsNameOf(client, service, signal);
  return name === undefined
    ? address
    : { ...address, url: address.url.replace(/\/\/(\[[^\]]*\]|[^:/]+)/, `//${name}`) };
}

/**
 * Finds where users reach the application among the live objects, waits for a load balancer's address, and probes
 * the application there; undefined when there is no such place. Throws ADDRESS_TIMEOUT or PROBE_FAILED.
 */
export async function reach(
  live: readonly KubeObject[],
  options: ReachOptions,
): Promise<Address | undefined> {
  const { log, signal, probePath } = options;
  const address = await findAddress(live, options);
  if (address === undefined) return undefined;
  log.info(`Address: ${address.url}`);
  if (probePath === undefined) return address;
  const inARow = options.isChanged ? answersAfterChange : 1;
  const url = address.url + probePath;
  const answer = await probe(url, { log, signal, timeoutMs: options.probeTimeoutMs, inARow });
  log.info(`Probe ${url}: ${answer}`);
  return address;
}
