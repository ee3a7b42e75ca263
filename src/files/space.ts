import { statfs } from 'node:fs/promises';
import { DeliveryError } from '../errors.ts';
import { formatBytes } from '../report/format.ts';

/** Throws DISK_FULL when the file system of an existing folder has fewer bytes free than needed. */
export async function requireSpace(folder: string, bytes: number): Promise<void> {
  const system = await statfs(folder);
  const free = system.bavail * system.bsize;
  if (free >= bytes) return;
  throw new DeliveryError({
    code: 'DISK_FULL',
    side: 'agent',
    message: `The model needs ${formatBytes(bytes)} in '${folder}', and ${formatBytes(free)} are free.`,
    remedy: "Free space on the agent's disk, or set 'targetFolder' to a folder on a larger one.",
  });
}
