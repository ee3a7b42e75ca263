import { DeliveryError } from '../errors.ts';
import { writingTo } from '../files/errors.ts';
import { sha256OfFile } from '../files/hash.ts';
import {
  alone,
  type Delivered,
  type DeliveryContext,
  type DeliveryPlan,
  knownHash,
  requireDigest,
} from './delivery.ts';
import { createLock, type LockedFile, type ModelLock } from './lock.ts';
import { keepInCache, type Received, receiveMissing } from './receive.ts';
import type { Finding } from './scan/content.ts';
import { inspectModel } from './scan/model.ts';
import { prepareFolder } from './target/folder.ts';
import { install, removePartials } from './target/install.ts';
import { finalPath, partialPath, requireSafePaths } from './target/paths.ts';
import { beginSession, endSession, ownedFiles, readState, type TargetState } from './target/state.ts';
import { hasProgress, removeJournal } from './transfer/journal.ts';

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

/** After these failures what has arrived is of no use to the next run. */
const spoiling: ReadonlySet<string> = new Set([
  'MODEL_CHANGED',
  'MODEL_CORRUPT',
  'DIGEST_MISMATCH',
  'CONTENT_UNSAFE',
  'DISK_FULL',
]);

interface Stock {
  readonly reused: readonly LockedFile[];
  readonly missing: readonly LockedFile[];
}

interface Verified {
  readonly lock: ModelLock;
  readonly received: Received;
  readonly findings: readonly Finding[];
}

/** Which of the version's files the folder holds already, verified, and which it lacks. */
async function takeStock(plan: DeliveryPlan, state: TargetState, signal: AbortSignal): Promise<Stock> {
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

/** Brings what is missing, beside the final names; after a failure the final names are as they were. */
async function receiveVerified(
  plan: DeliveryPlan,
  state: TargetState,
  stock: Stock,
  context: DeliveryContext,
): Promise<Verified> {
  const { folder, resolved } = plan;
  try {
    const received = await receiveMissing(plan, stock.missing, context);
    const lock = createLock({ ...resolved, files: [...stock.reused, ...received.files] });
    requireDigest(lock, plan.expectedDigest);
    const located = [
      ...stock.reused.map(({ path }) => ({ path, location: finalPath(folder, path) })),
      ...received.files.map(({ path }) => ({ path, location: partialPath(folder, path) })),
    ];
    const findings = await inspectModel(located, plan.scan, context.signal);
    return { lock, received, findings };
  } catch (error) {
    const spoiled = error instanceof DeliveryError && spoiling.has(error.code);
    if (spoiled || !(await hasProgress(folder))) {
      await removePartials(
        folder,
        stock.missing.map((file) => file.path),
      );
      if (state.unfinished.length === 0) await endSession(folder);
      else await removeJournal(folder);
    }
    throw error;
  }
}

/**
 * Makes the target folder hold exactly the resolved version: files that are there already are verified and
 * kept, the others arrive beside their final names and take them only when all of them are right.
 * Throws PATH_UNSAFE, TARGET_UNWRITABLE, DISK_FULL, MODEL_CHANGED, MODEL_CORRUPT, DIGEST_MISMATCH,
 * CONTENT_UNSAFE or the store's error; the final names then are as they were, and what has arrived is kept for the next run if it is
 * of use to it.
 */
export async function deliverModel(plan: DeliveryPlan, context: DeliveryContext): Promise<Delivered> {
  const { folder, resolved } = plan;
  const paths = resolved.files.map((file) => file.path);
  requireSafePaths(paths);
  await prepareFolder(folder, paths);
  return alone(folder, context, () => bring(plan, context));
}

async function bring(plan: DeliveryPlan, context: DeliveryContext): Promise<Delivered> {
  const { folder, resolved } = plan;
  const state = await readState(folder);
  const stock = await takeStock(plan, state, context.signal);
  if (stock.missing.length > 0) await writingTo(folder, () => beginSession(folder, state, resolved));
  const { lock, received, findings } = await receiveVerified(plan, state, stock, context);

  const settled = state.lock?.fingerprint === lock.fingerprint && state.lock.digest === lock.digest;
  const inPlace = settled && received.files.length === 0 && state.unfinished.length === 0;
  if (!inPlace) {
    const arrived = received.files.map((file) => file.path);
    await install({ folder, state, lock, arrived, kept: new Set(resolved.files.map((file) => file.path)) });
  }
  await keepInCache(plan, received.files, context.log);
  const changed = state.lock?.fingerprint !== resolved.fingerprint;
  return {
    lock,
    changed,
    fetchedBytes: received.bytes,
    reusedBytes: resolved.size - received.bytes,
    findings,
  };
}
