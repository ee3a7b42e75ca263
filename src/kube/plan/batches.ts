import { mapParallel } from '../../parallel.ts';
import type { Change } from './plan.ts';

const appliesAtOnce = 8;

/** Neighbours of one kind that may be applied side by side, in the order of the changes. */
function batchesOf<C extends Change>(changes: readonly C[], isAlone: (change: C) => boolean): C[][] {
  const batches: C[][] = [];
  for (const change of changes) {
    const last = batches.at(-1);
    const [first] = last ?? [];
    const isSame = first?.planned.kind === change.planned.kind && !isAlone(first) && !isAlone(change);
    if (isSame && last !== undefined) last.push(change);
    else batches.push([change]);
  }
  return batches;
}

/** All of a batch; after an error none is begun any more, and those under way are awaited before it is thrown. */
async function applyBatch<C, R>(batch: readonly C[], apply: (change: C) => Promise<R>): Promise<R[]> {
  const errors: unknown[] = [];
  const results = await mapParallel(batch, appliesAtOnce, async (change) => {
    if (errors.length > 0) return [];
    try {
      return [await apply(change)];
    } catch (error) {
      errors.push(error);
      return [];
    }
  });
  if (errors.length > 0) throw errors[0];
  return results.flat();
}

/** Applies changes in order, neighbours of one kind side by side unless they are to be alone. */
export async function applyInBatches<C extends Change, R>(
  changes: readonly C[],
  isAlone: (change: C) => boolean,
  apply: (change: C) => Promise<R>,
): Promise<R[]> {
  const results: R[] = [];
  for (const batch of batchesOf(changes, isAlone)) results.push(...(await applyBatch(batch, apply)));
  return results;
}
