import { writingTo } from '../files/errors.ts';
import { sha256OfFile } from '../files/hash.ts';
import { requireSpace } from '../files/space.ts';
import { byteProgress } from '../report/progress.ts';
import {
  type Delivered,
  type DeliveryContext,
  type DeliveryPlan,
  knownHash,
  requireDigest,
} from './delivery.ts';
import { createLock, type LockedFile, type ModelLock } from './lock.ts';
import { prepareFolder } from './target/folder.ts';
import { install, removePartials } from './target/install.ts';
import { finalPath, partialPath, requireSafePaths } from './target/paths.ts';
import { beginSession, endSession, ownedFiles, readState, type TargetState } from './target/state.ts';
import { fetchFile, type WantedFile } from './transfer/file.ts';
import { forEachParallel } from './transfer/pool.ts';

/** Files that are received at the same time. */
const parallelFiles = 8;

/** The file with its hash if its final name holds the right bytes already: size alone proves nothing. */
async function present(
  file: LockedFile,
  owned: readonly LockedFile[],
  folder: string,
  signal: AbortSignal,
): Promise<LockedFile | undefined> {
  const sha256 = knownHash(file, owned);
  if (sha256 === undefined || !owned.some((other) => other.path === file.path)) return undefined;
  const actual = await sha256OfFile(finalPath(folder, file.path), signal).catch(() => undefined);
  signal.throwIfAborted();
  return actual === sha256 ? { ...file, sha256 } : undefined;
}

async function receiveAll(
  plan: DeliveryPlan,
  missing: readonly LockedFile[],
  context: DeliveryContext,
): Promise<LockedFile[]> {
  const { folder, resolved, md5 } = plan;
  const totalBytes = missing.reduce((sum, file) => sum + file.size, 0);
  await requireSpace(folder, totalBytes);
  const what = `Fetching ${resolved.name} ${resolved.version}`;
  const progress = byteProgress({ what, totalBytes, log: context.log });
  const received: LockedFile[] = [];
  await forEachParallel(missing, parallelFiles, context.signal, async (locked, signal) => {
    const stored = md5.get(locked.path);
    const wanted: WantedFile = { locked, ...(stored !== undefined && { md5: stored }) };
    const sha256 = await fetchFile(context.store, wanted, partialPath(folder, locked.path), {
      signal,
      progress,
      onRetry: (file, error) =>
        context.log.info(
          `Reading '${file.path}' again: ${error instanceof Error ? error.message : String(error)}`,
        ),
    });
    received.push({ ...locked, sha256 });
  });
  progress.done();
  return received;
}

/** Which of the version's files the folder holds already, verified, and which it lacks. */
async function takeStock(
  plan: DeliveryPlan,
  state: TargetState,
  signal: AbortSignal,
): Promise<{ reused: LockedFile[]; missing: LockedFile[] }> {
  const owned = ownedFiles(state);
  const reused: LockedFile[] = [];
  const missing: LockedFile[] = [];
  for (const file of plan.resolved.files) {
    const found = await present(file, owned, plan.folder, signal);
    if (found === undefined) missing.push(file);
    else reused.push(found);
  }
  return { reused, missing };
}

/** Brings what is missing, beside the final names; after a failure the folder is as it was. */
async function receiveVerified(
  plan: DeliveryPlan,
  state: TargetState,
  stock: { readonly reused: readonly LockedFile[]; readonly missing: readonly LockedFile[] },
  context: DeliveryContext,
): Promise<{ lock: ModelLock; received: readonly LockedFile[] }> {
  const { folder, resolved } = plan;
  try {
    const received = stock.missing.length === 0 ? [] : await receiveAll(plan, stock.missing, context);
    const lock = createLock({ ...resolved, files: [...stock.reused, ...received] });
    requireDigest(lock, plan.expectedDigest);
    return { lock, received };
  } catch (error) {
    await removePartials(
      folder,
      stock.missing.map((file) => file.path),
    );
    if (state.unfinished.length === 0) await endSession(folder);
    throw error;
  }
}

/**
 * Makes the target folder hold exactly the resolved version: files that are there already are verified and
 * kept, the others arrive beside their final names and take them only when all of them are right.
 * Throws PATH_UNSAFE, TARGET_UNWRITABLE, DISK_FULL, MODEL_CHANGED, MODEL_CORRUPT, DIGEST_MISMATCH or the
 * store's error; the folder then holds what it held before.
 */
export async function deliverModel(plan: DeliveryPlan, context: DeliveryContext): Promise<Delivered> {
  const { folder, resolved } = plan;
  const paths = resolved.files.map((file) => file.path);
  requireSafePaths(paths);
  await prepareFolder(folder, paths);
  const state = await readState(folder);
  const stock = await takeStock(plan, state, context.signal);
  if (stock.missing.length > 0) await writingTo(folder, () => beginSession(folder, state, resolved));
  const { lock, received } = await receiveVerified(plan, state, stock, context);

  const settled = state.lock?.fingerprint === lock.fingerprint && state.lock.digest === lock.digest;
  const inPlace = settled && received.length === 0 && state.unfinished.length === 0;
  if (!inPlace) {
    const arrived = received.map((file) => file.path);
    await install({ folder, state, lock, arrived, kept: new Set(paths) });
  }
  const fetchedBytes = received.reduce((sum, file) => sum + file.size, 0);
  const changed = state.lock?.fingerprint !== resolved.fingerprint;
  return { lock, changed, fetchedBytes, reusedBytes: resolved.size - fetchedBytes };
}
