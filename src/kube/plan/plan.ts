import { isDeepStrictEqual } from 'node:util';
import { DeliveryError } from '../../errors.ts';
import type { Log } from '../../host/host.ts';
import { mapParallel } from '../../parallel.ts';
import type { KubeClient } from '../api/client.ts';
import type { Manifest } from '../manifests/manifests.ts';
import { isAutoscaled, withoutReplicas } from '../objects/autoscaled.ts';
import { describe, isRecord, type KubeObject, refOf } from '../objects/objects.ts';
import { isTrace } from '../objects/trace.ts';
import { withPodTemplate } from '../objects/workload.ts';
import { isAsApplied } from './ownedFields.ts';
import { type Read, readTogether } from './readTogether.ts';

/** What applying one manifest would do. */
export interface Change<M extends Manifest = Manifest> {
  readonly manifest: M;
  readonly action: 'create' | 'update' | 'none';
  /** The object as it is in the cluster now. */
  readonly live?: KubeObject;
  /** What to put back when the release fails, where that is not `live`: the state before one that is held. */
  readonly snapshot?: KubeObject;
  /** The object as the API server says it would be. */
  readonly planned: KubeObject;
}

const requestsAtOnce = 8;

function withoutTrace(annotations: Readonly<Record<string, string>> | undefined): Record<string, string> {
  return Object.fromEntries(Object.entries(annotations ?? {}).filter(([name]) => !isTrace(name)));
}

/** The object without what the server keeps for itself and without the trace of the run. */
export function comparable(object: KubeObject): unknown {
  const { status: _status, ...rest } = withPodTemplate(object, (template) => ({
    ...template,
    metadata: { ...template.metadata, annotations: withoutTrace(template.metadata?.annotations) },
  }));
  const metadata: Record<string, unknown> = { ...rest.metadata };
  for (const field of ['managedFields', 'resourceVersion', 'generation']) delete metadata[field];
  return { ...rest, metadata: { ...metadata, annotations: withoutTrace(rest.metadata.annotations) } };
}

/** An error about a manifest's content, with the place where that was written. */
export function named(error: unknown, manifest: Manifest): unknown {
  if (!(error instanceof DeliveryError) || error.side !== 'input') return error;
  return new DeliveryError({
    code: error.code,
    side: error.side,
    message: `${manifest.origin}: ${error.message}`,
    remedy: error.remedy,
    cause: error.cause,
  });
}

export interface PlanOptions {
  readonly force: boolean;
  readonly log: Log;
  readonly signal: AbortSignal;
}

/** The manifest as it is to be applied: an autoscaler's number of replicas is not ours to set. */
export function withAutoscaler<M extends Manifest>(manifest: M, live: KubeObject, log: Log): M {
  if (!isAutoscaled(live)) return manifest;
  const object = withoutReplicas(manifest.object);
  if (object !== manifest.object) log.info(`${describe(refOf(live))}: replicas are left to its autoscaler`);
  return { ...manifest, object };
}

/** The change that leads from a live object to the planned one. */
export function changeOf<M extends Manifest>(manifest: M, live: KubeObject, planned: KubeObject): Change<M> {
  const same = isDeepStrictEqual(comparable(live), comparable(planned));
  return { manifest, action: same ? 'none' : 'update', live, planned };
}

async function planUpdate<M extends Manifest>(
  client: KubeClient,
  written: M,
  live: KubeObject,
  options: PlanOptions,
): Promise<Change<M>> {
  const manifest = withAutoscaler(written, live, options.log);
  if (isAsApplied(manifest.object, live)) return { manifest, action: 'none', live, planned: live };
  const { force, signal } = options;
  const planned = await client.apply(manifest.object, { dryRun: true, force }, signal);
  return changeOf(manifest, live, planned);
}

async function planOne<M extends Manifest>(
  client: KubeClient,
  manifest: M,
  read: Read,
  options: PlanOptions,
): Promise<Change<M>> {
  const { force, signal } = options;
  try {
    const live = await read(refOf(manifest.object), signal);
    if (live !== undefined) return await planUpdate(client, manifest, live, options);
    const planned = await client.apply(manifest.object, { dryRun: true, force }, signal);
    return { manifest, action: 'create', planned };
  } catch (error) {
    throw named(error, manifest);
  }
}

/**
 * What applying these manifests would do, changing nothing: each that is not as it was applied is validated,
 * admitted and merged by the API server as a real apply would be (dry run), then compared with what is there.
 */
export async function plan<M extends Manifest>(
  client: KubeClient,
  manifests: readonly M[],
  options: PlanOptions,
): Promise<Change<M>[]> {
  const read = await readTogether(client, manifests, options.signal);
  return mapParallel(manifests, requestsAtOnce, (manifest) => planOne(client, manifest, read, options));
}

/** Gives objects without a namespace the default one, where their kind has namespaces. Throws KIND_UNKNOWN. */
export async function inNamespace<M extends Manifest>(
  client: Pick<KubeClient, 'resource'>,
  manifests: readonly M[],
  namespace: string,
  signal: AbortSignal,
): Promise<M[]> {
  return mapParallel(manifests, requestsAtOnce, async (manifest) => {
    const { apiVersion, kind, metadata } = manifest.object;
    try {
      const { namespaced } = await client.resource(apiVersion, kind, signal);
      if (!namespaced || metadata.namespace !== undefined) return manifest;
    } catch (error) {
      throw named(error, manifest);
    }
    return { ...manifest, object: { ...manifest.object, metadata: { ...metadata, namespace } } };
  });
}

/** The snapshot of a live object that, applied again, brings its present state back. */
export function restorable(live: KubeObject, desired: KubeObject): KubeObject {
  const { status: _status, ...object } = live;
  const { name, namespace, labels, annotations } = live.metadata;
  const kept = Object.entries(annotations ?? {}).filter(
    ([key]) => !key.startsWith('deployment.kubernetes.io/'),
  );
  const spec = isRecord(object['spec']) ? { ...object['spec'] } : undefined;
  const wanted = isRecord(desired['spec']) ? desired['spec'] : {};
  // An autoscaler's number of replicas is not ours to bring back.
  if (spec !== undefined && wanted['replicas'] === undefined) delete spec['replicas'];
  return {
    ...object,
    metadata: {
      name,
      ...(namespace === undefined ? {} : { namespace }),
      ...(labels === undefined ? {} : { labels }),
      annotations: Object.fromEntries(kept),
    },
    ...(spec === undefined ? {} : { spec }),
  };
}
