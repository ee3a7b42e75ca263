import { createHash } from 'node:crypto';
import { join } from 'node:path';
import type { LocalContext } from '../lib/context.ts';

/** Names and folders of one context's cluster. All derive from the state folder, so no two contexts share one. */
export interface ClusterLayout {
  /** Everything of the cluster that lies on disk. */
  readonly folder: string;
  /** The network namespace, the cgroup and the folder below /run of the node carry this name. */
  readonly name: string;
  /** The machine's end of the veth pair, and the node's; at most 15 characters, as Linux asks. */
  readonly hostLink: string;
  readonly nodeLink: string;
  /** Inside the node: where `folder`, the logs and the binaries are seen. */
  readonly inside: { readonly state: string; readonly logs: string; readonly bin: string };
}

/** The node's name in the cluster. */
export const nodeName = 'model-delivery';

/** containerd's socket, inside the node. */
export const containerdSocket = '/run/containerd/containerd.sock';

export function clusterLayout(context: LocalContext): ClusterLayout {
  const id = createHash('sha256').update(context.stateFolder).digest('hex').slice(0, 8);
  const name = `model-delivery-${id}`;
  const root = `/run/${name}`;
  return {
    folder: join(context.stateFolder, 'cluster'),
    name,
    hostLink: `mdh-${id}`,
    nodeLink: `mdn-${id}`,
    inside: { state: `${root}/state`, logs: `${root}/logs`, bin: `${root}/bin` },
  };
}

/** The administrator's kubeconfig, for the machine. */
export function kubeconfigFile(context: LocalContext): string {
  return join(context.stateFolder, 'kubeconfig');
}
