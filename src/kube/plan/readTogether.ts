import { grouped } from '../../grouped.ts';
import type { KubeClient } from '../api/client.ts';
import { ApiError } from '../api/statusError.ts';
import type { Manifest } from '../manifests/manifests.ts';
import { identity, type KubeObject, type ObjectRef, refOf } from '../objects/objects.ts';

/** From so many objects of one kind in one namespace on, one list costs less than a read each. */
const fewest = 5;
/** A list that has many more objects than are asked for would cost more than it saves. */
const spare = 2;

/** Reads an object; undefined when there is none. */
export type Read = (ref: ObjectRef, signal: AbortSignal) => Promise<KubeObject | undefined>;

function placeOf({ apiVersion, kind, namespace }: ObjectRef): string {
  return [apiVersion, kind, namespace].join(' ');
}

/**
 * All objects of a kind in a namespace; undefined where they may not be listed, or are too many. Secrets are never
 * listed: those of others are not to be read.
 */
async function listed(
  client: KubeClient,
  refs: readonly ObjectRef[],
  signal: AbortSignal,
): Promise<readonly KubeObject[] | undefined> {
  const [first] = refs;
  if (first?.namespace === undefined || first.kind === 'Secret' || refs.length < fewest) return undefined;
  const { apiVersion, kind, namespace } = first;
  const collection = { apiVersion, kind, namespace, atMost: spare * refs.length };
  try {
    const list = await client.list(collection, signal);
    return list.isCut === true ? undefined : list.items;
  } catch (error) {
    if (error instanceof ApiError) return undefined;
    throw error;
  }
}

/** A way to read the live objects of manifests: many of one kind by one list, the others one by one. */
export async function readTogether(
  client: KubeClient,
  manifests: readonly Manifest[],
  signal: AbortSignal,
): Promise<Read> {
  const groups = grouped(
    manifests.map(({ object }) => refOf(object)),
    placeOf,
  );
  const places = new Set<string>();
  const known = new Map<string, KubeObject>();
  await Promise.all(
    [...groups].map(async ([place, refs]) => {
      const items = await listed(client, refs, signal);
      if (items === undefined) return;
      places.add(place);
      for (const item of items) known.set(identity(refOf(item)), item);
    }),
  );
  return async (ref, each) => (places.has(placeOf(ref)) ? known.get(identity(ref)) : client.get(ref, each));
}
