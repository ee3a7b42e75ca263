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

function ofContainerd(context: LocalContext, name: string): Promise<string> {
  const spec = {
    name,
    package: `github.com/containerd/containerd/v2/cmd/${name}`,
    version: containerdVersion,
  };
  return ensureGoBinary(context, spec);
}

/** Builds what the node runs, or finds it in the user's cache. The first build takes minutes. */
export async function clusterBinaries(context: LocalContext): Promise<ClusterBinaries> {
  // One after the other: each takes every core, and later ones find packages of earlier ones compiled.
  const pause = await ensureGoBinary(context, { name: 'pause', folder: join(here, 'pause') });
  const containerd = await ofContainerd(context, 'containerd');
  const shim = await ofContainerd(context, 'containerd-shim-runc-v2');
  const ctr = await ofContainerd(context, 'ctr');
  const kubernetes = await ensureGoBinary(context, {
    name: 'kubernetes',
    folder: join(here, 'kubernetes'),
    variables: { 'k8s.io/component-base/version.gitVersion': kubernetesVersion },
  });
  return { kubernetes, pause, containerd, shim, ctr };
}
