import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { withApiRelay } from '../../tests/support/apiRelay.ts';
import type { Target } from './target.ts';

/** Does something through a relay before the API server, and tells how many requests went through it: nobody is timed so. */
export async function countRequests(
  target: Target,
  work: (proxied: Target) => Promise<unknown>,
): Promise<number> {
  let count = 0;
  const told = (): void => {
    count += 1;
  };
  await withApiRelay(target.kubeconfig, told, async (content) => {
    const kubeconfig = join(target.folder, '..', `${target.namespace}.kubeconfig`);
    await writeFile(kubeconfig, content);
    await work({ ...target, kubeconfig });
  });
  return count;
}
