import { writingTo } from '../files/errors.ts';
import { requireSpace } from '../files/space.ts';
import type { Log } from '../host/host.ts';
import { formatBytes } from '../report/format.ts';
import { byteProgress } from '../report/progress.ts';
import { requireReadable } from './archived.ts';
import { openCache } from './cache/cache.ts';
import type { DeliveryContext, DeliveryPlan } from './delivery.ts';
import type { LockedFile } from './lock.ts';
import { finalPath, partialPath } from './target/paths.ts';
import type { WantedFile } from './transfer/arrival.ts';
import { fetchSet } from './transfer/set.ts';

/** Files that have arrived, and the bytes that moved for them. */
export interface Received {
  readonly files: readonly LockedFile[];
  readonly bytes: number;
}

async function receiveAll(
  plan: DeliveryPlan,
  missing: readonly LockedFile[],
  { store, log, signal }: DeliveryContext,
): Promise<Received> {
  const { folder, resolved, md5, checksums, whole } = plan;
  const total = missing.reduce((sum, file) => sum + file.size, 0);
  let bytes = 0;
  const files = await fetchSet({
    store,
    folder,
    signal,
    fingerprint: resolved.fingerprint,
    files: missing.map((locked): WantedFile => {
      const stored = md5.get(locked.path);
      const checksum = checksums?.get(locked.path);
      const asWhole = whole?.has(locked.path) ? { whole: true } : {};
      return {
        locked,
        ...asWhole,
        ...(stored !== undefined && { md5: stored }),
        ...(checksum !== undefined && { checksum }),
      };
    }),
    async begin(totalBytes) {
      bytes = totalBytes;
      await requireSpace(folder, totalBytes);
      if (totalBytes < total) {
        log.info(
          `An interrupted run left ${formatBytes(total - totalBytes)} of this version: only the rest is fetched.`,
        );
      }
      return byteProgress({ what: `Fetching ${resolved.name} ${resolved.version}`, totalBytes, log });
    },
    onRetry: (file, error) =>
      log.info(`Reading '${file.path}' again: ${error instanceof Error ? error.message : String(error)}`),
  });
  return { files, bytes };
}

/** Takes from the cache what it has, and the rest from the store. */
export async function receiveMissing(
  plan: DeliveryPlan,
  missing: readonly LockedFile[],
  context: DeliveryContext,
): Promise<Received> {
  const { folder, cache } = plan;
  const cached: LockedFile[] = [];
  if (cache !== undefined) {
    const shared = openCache(cache.folder, plan.resolved.source, cache.limit);
    for (const file of missing) {
      const destination = partialPath(folder, file.path);
      const found = await writingTo(folder, () => shared.take(file, destination, context.signal));
      if (found !== undefined) cached.push(found);
    }
    if (cached.length > 0) context.log.info(`${cached.length} file(s) come from the cache ${cache.folder}.`);
  }
  const taken = new Set(cached.map((file) => file.path));
  const rest = missing.filter((file) => !taken.has(file.path));
  requireReadable(rest, plan.archived ?? new Map());
  const received = rest.length === 0 ? { files: [], bytes: 0 } : await receiveAll(plan, rest, context);
  return { files: [...cached, ...received.files], bytes: received.bytes };
}

/** Keeps what arrived for other runs. A cache that cannot be written costs time, not the run. */
export async function keepInCache(plan: DeliveryPlan, files: readonly LockedFile[], log: Log): Promise<void> {
  const { cache, folder, resolved } = plan;
  if (cache === undefined || files.length === 0) return;
  const shared = openCache(cache.folder, resolved.source, cache.limit);
  try {
    for (const file of files) await shared.keep(file, finalPath(folder, file.path));
    await shared.trim();
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    log.warning(`The cache ${cache.folder} could not be written: ${reason}`);
  }
}
