import { gunzipSync, gzipSync } from 'node:zlib';
import { DeliveryError } from '../../errors.ts';
import type { KubeClient } from '../api/client.ts';
import type { Right } from '../api/right.ts';
import type { PinnedManifest } from '../manifests/imagePin.ts';
import { identity, type KubeObject, refOf } from '../objects/objects.ts';
import type { Trace } from '../objects/trace.ts';
import { type Change, restorable } from '../plan/plan.ts';
import type { Strategy } from './hold.ts';

/** Tells on a Deployment how far a release has come that waits for its promotion. */
export const heldAnnotation = 'model-delivery/held';
/** Tells on a Deployment what became of the last release that was held. */
export const decisionAnnotation = 'model-delivery/decision';

/** `staging`: its new pods are not yet put to the test, or the run died before that. */
export type HeldState = 'staging' | 'verified';

/** All that promoting or rejecting a held release needs; kept in a Secret, since manifests may be Secrets. */
export interface HeldRecord {
  readonly version: 1;
  readonly strategy: Strategy['kind'];
  readonly trace: Trace;
  /** Whether what left the manifests is to be removed once the release is promoted. */
  readonly prune?: boolean;
  /** What the release applies. */
  readonly after: readonly PinnedManifest[];
  /** The objects as they were before the release. */
  readonly before: readonly KubeObject[];
}

function secretOf(workload: KubeObject): KubeObject {
  const { name, namespace } = workload.metadata;
  const metadata = {
    name: `model-delivery-held-${name}`,
    ...(namespace === undefined ? {} : { namespace }),
  };
  return { apiVersion: 'v1', kind: 'Secret', metadata };
}

/** The rights that a held release needs beyond those of the release. */
export function heldRights(namespace: string): Right[] {
  return ['get', 'create', 'patch'].map((verb) => ({
    verb,
    group: '',
    resource: 'secrets',
    namespace,
    required: true,
  }));
}

export function withAnnotation(object: KubeObject, name: string, value: string): KubeObject {
  const annotations = { ...object.metadata.annotations, [name]: value };
  return { ...object, metadata: { ...object.metadata, annotations } };
}

export function heldState(workload: KubeObject | undefined): HeldState | undefined {
  const value = workload?.metadata.annotations?.[heldAnnotation];
  return value === 'staging' || value === 'verified' ? value : undefined;
}

/** Records the release of this workload before anything is changed. */
export async function writeHeld(
  client: KubeClient,
  workload: KubeObject,
  record: HeldRecord,
  signal: AbortSignal,
): Promise<void> {
  const data = { record: gzipSync(JSON.stringify(record)).toString('base64') };
  await client.apply({ ...secretOf(workload), data }, { dryRun: false, force: true }, signal);
}

/** The record of the release that is held on this workload. Throws HELD_RECORD_LOST. */
export async function readHeld(
  client: KubeClient,
  workload: KubeObject,
  signal: AbortSignal,
): Promise<HeldRecord> {
  const secret = await client.get(refOf(secretOf(workload)), signal);
  const text = (secret?.['data'] as Record<string, string> | undefined)?.['record'];
  if (text !== undefined) return JSON.parse(gunzipSync(Buffer.from(text, 'base64')).toString()) as HeldRecord;
  throw new DeliveryError({
    code: 'HELD_RECORD_LOST',
    side: 'cluster',
    message: `The release held on '${workload.metadata.name}' cannot be decided: the Secret '${secretOf(workload).metadata.name}' with its record is gone.`,
    remedy: 'Deploy again: that finishes it, or holds it anew. The former pods go on serving until then.',
  });
}

/** Empties the record once it is decided: it held copies of other objects. */
export async function clearHeld(
  client: KubeClient,
  workload: KubeObject,
  signal: AbortSignal,
): Promise<void> {
  await client.apply(secretOf(workload), { dryRun: false, force: true }, signal);
}

/** The record of a release about to begin; what is held already keeps the state before it, not its own. */
export function recordOf(
  changes: readonly Change<PinnedManifest>[],
  { strategy, trace, prune }: Pick<HeldRecord, 'strategy' | 'trace' | 'prune'>,
): HeldRecord {
  const before = changes.flatMap(({ snapshot, live, manifest }) => {
    const object = snapshot ?? live;
    return object === undefined ? [] : [restorable(object, manifest.object)];
  });
  const after = changes.map((change) => change.manifest);
  return { version: 1, strategy, trace, ...(prune === true ? { prune } : {}), before, after };
}

/** The changes with the state to put back that a held release has recorded. */
export function withSnapshots(
  changes: readonly Change<PinnedManifest>[],
  record: HeldRecord,
): Change<PinnedManifest>[] {
  const known = new Map(record.before.map((object) => [identity(refOf(object)), object]));
  return changes.map((change) => {
    const snapshot = known.get(identity(refOf(change.planned)));
    return snapshot === undefined ? change : { ...change, snapshot };
  });
}
