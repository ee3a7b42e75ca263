import { DeliveryError } from '../../errors.ts';
import type { Log } from '../../host/host.ts';
import type { KubeClient } from '../api/client.ts';
import type { PinnedManifest } from '../manifests/imagePin.ts';
import { identity, type KubeObject, refOf } from '../objects/objects.ts';
import { type Change, plan } from '../plan/plan.ts';
import {
  clearHeld,
  decisionAnnotation,
  type HeldRecord,
  heldState,
  readHeld,
  withAnnotation,
  withSnapshots,
} from '../stages/heldRecord.ts';
import { restore } from './restore.ts';

export interface DecisionOptions {
  readonly client: KubeClient;
  readonly log: Log;
  readonly namespace: string;
  /** The Deployment's name, where several releases are held in the namespace. */
  readonly name?: string;
  readonly signal: AbortSignal;
}

/** A release that waits for a decision. */
export interface Held {
  readonly workload: KubeObject;
  readonly record: HeldRecord;
}

function undecidable(message: string, remedy: string): DeliveryError {
  return new DeliveryError({ code: 'NOTHING_HELD', side: 'cluster', message, remedy });
}

function decisionOf(workload: KubeObject): string | undefined {
  return workload.metadata.annotations?.[decisionAnnotation];
}

/**
 * The release that is held in the namespace; undefined when this very decision was taken before.
 * Throws NOTHING_HELD, NOT_VERIFIED and HELD_RECORD_LOST.
 */
export async function findHeld(
  decision: 'promoted' | 'rejected',
  options: DecisionOptions,
): Promise<Held | undefined> {
  const { client, namespace, name, signal, log } = options;
  const { items } = await client.list({ apiVersion: 'apps/v1', kind: 'Deployment', namespace }, signal);
  const candidates = items.filter((item) => name === undefined || item.metadata.name === name);
  const [workload, another] = candidates.filter((item) => heldState(item) !== undefined);
  if (another !== undefined) {
    throw undecidable(
      `Several releases are held in namespace '${namespace}'.`,
      "Set 'appName' to the name of the Deployment that is meant.",
    );
  }
  if (workload === undefined) {
    const decided = candidates.map(decisionOf).find((text) => text !== undefined);
    if (decided?.startsWith(decision) !== true) throw nothingHeld(namespace, decided);
    log.info(`Nothing to do: the release was ${decided}.`);
    return undefined;
  }
  if (decision === 'promoted' && heldState(workload) !== 'verified') throw notVerified(workload);
  return { workload, record: await readHeld(client, workload, signal) };
}

function nothingHeld(namespace: string, decided: string | undefined): DeliveryError {
  const last = decided === undefined ? '' : `; the last one was ${decided}`;
  return undecidable(
    `No release is held in namespace '${namespace}'${last}.`,
    "Deploy with 'holdForPromotion: true' first; to leave a promoted release, deploy an earlier image.",
  );
}

function notVerified(workload: KubeObject): DeliveryError {
  return new DeliveryError({
    code: 'NOT_VERIFIED',
    side: 'cluster',
    message: `The release of '${workload.metadata.name}' was interrupted before its new pods were verified.`,
    remedy: "Run the deployment again, which goes on where it stopped, or use 'action: reject'.",
  });
}

function decided(manifest: PinnedManifest, held: Held, text: string): PinnedManifest {
  const isWorkload = identity(refOf(manifest.object)) === identity(refOf(held.workload));
  if (!isWorkload) return manifest;
  return { ...manifest, object: withAnnotation(manifest.object, decisionAnnotation, text) };
}

/** What finishes a held release, planned anew: what to put back if it fails is the state before the release. */
export async function promotionOf(
  held: Held,
  by: string,
  options: DecisionOptions & { readonly force: boolean },
): Promise<Change<PinnedManifest>[]> {
  const manifests = held.record.after.map((manifest) => decided(manifest, held, `promoted by ${by}`));
  return withSnapshots(await plan(options.client, manifests, options), held.record);
}

/** Puts everything back as it was before a held release. Throws REJECT_INCOMPLETE. */
export async function reject(
  held: Held,
  by: string,
  options: DecisionOptions & { readonly timeoutMs: number; readonly removeOnFailure: boolean },
): Promise<void> {
  const { record, workload } = held;
  const before = new Map(record.before.map((object) => [identity(refOf(object)), object]));
  const changes = record.after.map((manifest): Change<PinnedManifest> => {
    const found = before.get(identity(refOf(manifest.object)));
    if (found === undefined) return { manifest, action: 'create', planned: manifest.object };
    const isWorkload = identity(refOf(found)) === identity(refOf(workload));
    const live = isWorkload ? withAnnotation(found, decisionAnnotation, `rejected by ${by}`) : found;
    return { manifest, action: 'update', planned: manifest.object, live };
  });
  if (await restore(changes, options)) return clearHeld(options.client, workload, options.signal);
  throw new DeliveryError({
    code: 'REJECT_INCOMPLETE',
    side: 'cluster',
    message: `The state before the release of '${workload.metadata.name}' is not wholly back; the log above names what is missing.`,
    remedy: "Run 'action: reject' again once that is corrected: it may be repeated.",
  });
}
