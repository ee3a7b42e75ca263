import { setTimeout as sleep } from 'node:timers/promises';
import type { Lease } from 'kubernetes-types/coordination/v1.d.ts';
import { DeliveryError } from '../../errors.ts';
import type { Log } from '../../host/host.ts';
import type { KubeClient } from '../api/client.ts';
import { ApiError } from '../api/statusError.ts';
import { describe, type KubeObject, refOf } from '../objects/objects.ts';

export interface LeaseOptions {
  readonly client: KubeClient;
  readonly log: Log;
  readonly namespace: string;
  /** Name of the workload: releases of others go on beside this one. */
  readonly release: string;
  /** Who holds it, unique and fit for reading. */
  readonly holder: string;
  /** What to do while another release is under way. */
  readonly concurrency: 'wait' | 'fail';
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
}

export interface HeldLease {
  /** True when another release was under way, so that what was planned before is out of date. */
  readonly waited: boolean;
  end(): Promise<void>;
}

/** A holder that has not renewed for this long is gone, where the lease itself does not say otherwise. */
const leaseSeconds = 20;
/** Several renewals may fail within a lease's time. */
const renewMs = 3000;
const askMs = 1000;
const requestMs = 10_000;

function written(options: LeaseOptions, before: KubeObject | undefined, holder: string): KubeObject {
  const { namespace, release } = options;
  const now = new Date().toISOString().replace('Z', '000Z');
  const acquireTime = (before as Lease | undefined)?.spec?.acquireTime ?? now;
  const isSame = (before as Lease | undefined)?.spec?.holderIdentity === holder;
  return {
    apiVersion: 'coordination.k8s.io/v1',
    kind: 'Lease',
    metadata: before?.metadata ?? { name: `model-delivery-${release}`, namespace },
    spec: {
      holderIdentity: holder,
      leaseDurationSeconds: leaseSeconds,
      acquireTime: isSame ? acquireTime : now,
      renewTime: now,
    },
  };
}

/** Writes the lease if nobody was faster; undefined when somebody was. */
async function write(
  options: LeaseOptions,
  before: KubeObject | undefined,
  holder: string,
  signal: AbortSignal,
): Promise<KubeObject | undefined> {
  const lease = written(options, before, holder);
  try {
    const { client } = options;
    return await (before === undefined ? client.create(lease, signal) : client.update(lease, signal));
  } catch (error) {
    if (error instanceof ApiError && error.status === 409) return undefined;
    throw error;
  }
}

function holderOf(lease: KubeObject): string {
  return (lease as Lease).spec?.holderIdentity ?? '';
}

function inProgress(lease: KubeObject, options: LeaseOptions): DeliveryError {
  const holder = holderOf(lease);
  const why =
    options.concurrency === 'fail' ? "'concurrency: fail' asks not to wait" : 'the time to wait is over';
  return new DeliveryError({
    code: 'RELEASE_IN_PROGRESS',
    side: 'cluster',
    message: `Another release of '${options.release}' is under way, by ${holder}, and ${why}. Nothing was changed.`,
    remedy:
      "Run the task again when that one has ended, or use 'concurrency: wait' with a longer 'rolloutTimeout'.",
  });
}

/** A version of a lease that others hold, and since when it is known by our own clock. */
interface Sight {
  readonly version: string;
  readonly since: number;
}

/** Measured by our own clock, from what we saw: those of two agents may differ. */
function isAbandoned(seen: Sight | undefined, live: KubeObject): boolean {
  if (seen?.version !== versionOf(live)) return false;
  const seconds = (live as Lease).spec?.leaseDurationSeconds ?? leaseSeconds;
  return performance.now() - seen.since >= seconds * 1000;
}

function versionOf(live: KubeObject | undefined): string {
  return live?.metadata.resourceVersion ?? '';
}

function tellTaken(live: KubeObject | undefined, options: LeaseOptions): void {
  if (live === undefined || isFree(live, options.holder)) return;
  options.log.warning(`${holderOf(live)} has not renewed ${describe(refOf(live))}: it was taken over.`);
}

function isFree(live: KubeObject | undefined, holder: string): boolean {
  return live === undefined || ['', holder].includes(holderOf(live));
}

/** Throws RELEASE_IN_PROGRESS when there is no more waiting: a holder that renews is alive. */
function checkWait(live: KubeObject, options: LeaseOptions, isAlive: boolean, endsAt: number): void {
  const isHopeless = isAlive && options.concurrency === 'fail';
  if (isHopeless || performance.now() >= endsAt) throw inProgress(live, options);
}

/** Takes the lease; `waited` tells whether another held it first. */
async function take(options: LeaseOptions): Promise<{ lease: KubeObject; waited: boolean }> {
  const { client, log, holder, signal } = options;
  const ref = refOf(written(options, undefined, holder));
  const endsAt = performance.now() + options.timeoutMs;
  let seen: Sight | undefined;
  for (;;) {
    const live = await client.get(ref, signal);
    const version = versionOf(live);
    if (live === undefined || isFree(live, holder) || isAbandoned(seen, live)) {
      const lease = await write(options, live, holder, signal);
      if (lease === undefined) continue;
      tellTaken(live, options);
      return { lease, waited: seen !== undefined };
    }
    if (seen === undefined)
      log.info(`Another release is under way, by ${holderOf(live)}: waiting for its end`);
    checkWait(live, options, seen !== undefined && seen.version !== version, endsAt);
    if (seen?.version !== version) seen = { version, since: performance.now() };
    await sleep(askMs, undefined, { signal });
  }
}

/** What to go on renewing when the lease's version is no longer the known one; undefined when another took it. */
async function found(options: LeaseOptions, known: KubeObject): Promise<KubeObject | undefined> {
  const live = await options.client.get(refOf(known), AbortSignal.timeout(requestMs));
  // Ours: a renewal arrived whose answer was lost.
  if (live !== undefined && holderOf(live) === options.holder) return live;
  options.log.warning(
    `${describe(refOf(known))} is not held by this run any more: it was not renewed in time, and another took it over.`,
  );
  return undefined;
}

/** Renews until it is ended; a renewal that fails is tried again at the next turn. */
function keep(first: KubeObject, options: LeaseOptions): () => Promise<void> {
  let lease: KubeObject | undefined = first;
  const renew = async (holder: string): Promise<void> => {
    if (lease === undefined) return;
    const written = await write(options, lease, holder, AbortSignal.timeout(requestMs));
    lease = written ?? (await found(options, lease));
  };
  let turn = Promise.resolve();
  const next = (holder: string): void => {
    turn = turn.then(() => renew(holder)).catch(() => undefined);
  };
  const timer = setInterval(() => next(options.holder), renewMs);
  timer.unref();
  return () => {
    clearInterval(timer);
    next('');
    return turn;
  };
}

/**
 * Holds the release's Lease, renewed until it is ended, so that two releases of one application never mix. Without
 * the rights for it, undefined after a warning. Throws RELEASE_IN_PROGRESS.
 */
export async function holdLease(options: LeaseOptions): Promise<HeldLease | undefined> {
  try {
    const { lease, waited } = await take(options);
    return { waited, end: keep(lease, options) };
  } catch (error) {
    if (!(error instanceof ApiError) || error.status !== 403) throw error;
    options.log.warning(
      'This identity may not get, create and update leases.coordination.k8s.io, so two releases at once are not kept apart.',
    );
    return undefined;
  }
}
