import { randomBytes } from 'node:crypto';
import type { Host } from '../../src/host/host.ts';
import type { KubeClient } from '../../src/kube/api/client.ts';
import { type HeldLease, holdLease } from '../../src/kube/release/lease.ts';
import type { SharedInputs } from './inputs.ts';
import type { Plan } from './planned.ts';

/** Keeps other releases of the same workload apart; undefined without the rights for it. */
export async function openLease(
  release: string,
  made: Pick<Plan, 'trace' | 'namespace'>,
  inputs: SharedInputs,
  client: KubeClient,
  host: Host,
): Promise<HeldLease | undefined> {
  const { pipeline = 'a run', run = '' } = made.trace;
  const { concurrency, rolloutTimeoutMs: timeoutMs } = inputs;
  const holder = `${pipeline} ${run} (${randomBytes(4).toString('hex')})`;
  const { namespace } = made;
  const common = { client, log: host.log, signal: host.cancelled, namespace, holder };
  return holdLease({ ...common, release, concurrency, timeoutMs });
}
