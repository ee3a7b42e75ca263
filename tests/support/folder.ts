import { execFileSync } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** A folder of the test's own that is gone when the test ends. */
export async function withFolder<T>(use: (folder: string) => Promise<T>): Promise<T> {
  const folder = await mkdtemp(join(tmpdir(), 'model-delivery-test-'));
  try {
    return await use(folder);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** A folder on a file system of its own of this size; Linux, and root. */
export function withSmallDisk<T>(size: string, use: (folder: string) => Promise<T>): Promise<T> {
  return withFolder(async (folder) => {
    execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${size}`, 'tmpfs', folder]);
    try {
      return await use(folder);
    } finally {
      execFileSync('umount', [folder]);
    }
  });
}
