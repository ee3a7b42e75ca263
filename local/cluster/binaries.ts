import type { LocalContext } from '../lib/context.ts';
import { programBinary } from '../toolchain/programs.ts';

/** Paths of the programs that the node runs. */
export interface ClusterBinaries {
  readonly kubernetes: string;
  readonly containerd: string;
  readonly shim: string;
  readonly ctr: string;
  readonly pause: string;
}

/** Builds what the node runs, or finds it in the user's cache. The first build takes minutes. */
export async function clusterBinaries(context: LocalContext): Promise<ClusterBinaries> {
  // One after the other: each takes every core, and later ones find packages of earlier ones compiled.
  const pause = await programBinary(context, 'pause');
  const containerd = await programBinary(context, 'containerd');
  const shim = await programBinary(context, 'containerd-shim-runc-v2');
  const ctr = await programBinary(context, 'ctr');
  const kubernetes = await programBinary(context, 'kubernetes');
  return { kubernetes, pause, containerd, shim, ctr };
}
