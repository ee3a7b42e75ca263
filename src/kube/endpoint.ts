import { DeliveryError } from '../errors.ts';
import type { Log } from '../host/host.ts';
import { type Address, waitForAddress, wantsLoadBalancer } from './address.ts';
import type { KubeClient } from './client.ts';
import type { KubeObject } from './objects.ts';
import type { Change } from './plan.ts';
import { probe } from './probe.ts';

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
  if (probePath === undefined || changes.some((change) => wantsLoadBalancer(change.planned))) return;
  throw new DeliveryError({
    code: 'NOTHING_TO_PROBE',
    side: 'input',
    message: "Input 'probePath' is set, but no Service of type LoadBalancer is deployed that could be asked.",
    remedy: "Leave 'probePath' empty, or deploy a Service of type LoadBalancer.",
  });
}

/**
 * Waits for the load balancer's address among the live objects and probes the application there; undefined when
 * no Service wants one. Throws ADDRESS_TIMEOUT or PROBE_FAILED.
 */
export async function reach(
  live: readonly KubeObject[],
  options: ReachOptions,
): Promise<Address | undefined> {
  const { client, log, signal, probePath } = options;
  const service = live.find(wantsLoadBalancer);
  if (service === undefined) return undefined;
  const timeoutMs = options.addressTimeoutMs;
  const address = await waitForAddress(client, service, { log, signal, timeoutMs });
  log.info(`Address: ${address.url}`);
  if (probePath === undefined) return address;
  const inARow = options.isChanged ? answersAfterChange : 1;
  const url = address.url + probePath;
  const answer = await probe(url, { log, signal, timeoutMs: options.probeTimeoutMs, inARow });
  log.info(`Probe ${url}: ${answer}`);
  return address;
}
