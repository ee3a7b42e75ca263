import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { LocalContext } from '../lib/context.ts';
import { ensureGoBinary } from '../toolchain/binary.ts';

const kubernetesVersion = 'v1.36.3';
const containerdVersion = 'v2.2.1';
const here = fileURLToPath(new URL('.', import.meta.url));

/** Paths of the programs that the node runs. */
export interface ClusterBinaries {
  readonly kubernetes: string;
  readonly containerd: string;
  readonly shim: string;
  readonly ctr: string;
  readonly pause: string;
}

function ofContainerd(context: LocalContext, name: string, duration: string): Promise<string> {
  const path = `github.com/containerd/containerd/v2/cmd/${name}`;
  return ensureGoBinary(context, { name, package: path, version: containerdVersion, duration });
}

/** Builds what the node runs, or finds it in the user's cache. The first build takes minutes. */
export async function clusterBinaries(context: LocalContext): Promise<ClusterBinaries> {
  // One after the other: each takes every core, and later ones find packages of earlier ones compiled.
  const pause = await ensureGoBinary(context, {
    name: 'pause',
    folder: join(here, 'pause'),
    duration: 'seconds',
  });
  const containerd = await ofContainerd(context, 'containerd', 'about 2 minutes');
  const shim = await ofContainerd(context, 'containerd-shim-runc-v2', 'seconds');
  const ctr = await ofContainerd(context, 'ctr', 'seconds');
  const kubernetes = await ensureGoBinary(context, {
    name: 'kubernetes',
    folder: join(here, 'kubernetes'),
    variables: { 'k8s.io/component-base/version.gitVersion': kubernetesVersion },
    duration: 'about 5 minutes',
  });
  return { kubernetes, pause, containerd, shim, ctr };
}
