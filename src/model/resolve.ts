import {
  alone,
  type Delivered,
  type DeliveryContext,
  type DeliveryPlan,
  knownHash,
  requireDigest,
} from './delivery.ts';
import { createLock } from './lock.ts';
import { prepareFolder } from './target/folder.ts';
import { install } from './target/install.ts';
import { requireSafePaths } from './target/paths.ts';
import { ownedFiles, readState } from './target/state.ts';

/**
 * Leaves only the lock of the resolved version in the folder, with the hashes that are known. Files of
 * another version that an earlier run put there are removed: they would contradict the lock.
 */
export async function recordResolved(
  plan: DeliveryPlan,
  context: Omit<DeliveryContext, 'store'>,
): Promise<Delivered> {
  requireSafePaths(plan.resolved.files.map((file) => file.path));
  await prepareFolder(plan.folder, []);
  return alone(plan.folder, context, () => record(plan));
}

async function record({ folder, resolved, expectedDigest }: DeliveryPlan): Promise<Delivered> {
  const state = await readState(folder);
  const owned = ownedFiles(state);
  const files = resolved.files.map((file) => {
    const sha256 = knownHash(file, owned);
    return sha256 === undefined ? file : { ...file, sha256 };
  });
  const lock = createLock({ ...resolved, files });
  requireDigest(lock, expectedDigest);
  const changed = state.lock?.fingerprint !== lock.fingerprint;
  if (changed || state.unfinished.length > 0 || state.lock?.digest !== lock.digest) {
    const kept = new Set(changed ? [] : files.map((file) => file.path));
    await install({ folder, state, lock, arrived: [], kept });
  }
  return { lock, changed, fetchedBytes: 0, reusedBytes: 0, findings: [] };
}
