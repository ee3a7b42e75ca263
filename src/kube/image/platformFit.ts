import type { Node } from 'kubernetes-types/core/v1.d.ts';
import { DeliveryError } from '../../errors.ts';
import type { Log } from '../../host/host.ts';
import { formatPlatform, type Platform } from '../../oci/types.ts';
import type { KubeClient } from '../api/client.ts';
import { ApiError } from '../api/statusError.ts';
import { describe, type KubeObject, refOf } from '../objects/objects.ts';
import { podTemplate } from '../objects/workload.ts';

const osLabel = 'kubernetes.io/os';
const architectureLabel = 'kubernetes.io/arch';

interface NodePlatform {
  readonly name: string;
  readonly os: string;
  readonly architecture: string;
  readonly labels: Readonly<Record<string, string>>;
}

async function nodesOf(client: KubeClient, signal: AbortSignal): Promise<NodePlatform[]> {
  const all = { apiVersion: 'v1', kind: 'Node', namespace: '' };
  const { items } = await client.list(all, signal);
  return items.map((node) => {
    const { labels = {}, name } = node.metadata;
    const info = (node as Node).status?.nodeInfo;
    const os = labels[osLabel] ?? info?.operatingSystem ?? '';
    return { name, os, architecture: labels[architectureLabel] ?? info?.architecture ?? '', labels };
  });
}

/** The nodes that the workload's own selector leaves. */
function selected(nodes: readonly NodePlatform[], workload: KubeObject): readonly NodePlatform[] {
  const wanted = Object.entries(podTemplate(workload)?.spec?.nodeSelector ?? {});
  return nodes.filter(({ labels }) => wanted.every(([name, value]) => labels[name] === value));
}

function inWords(node: NodePlatform): string {
  return `${node.os}/${node.architecture}`;
}

function unfit(
  workload: KubeObject,
  platforms: readonly Platform[],
  nodes: readonly NodePlatform[],
): DeliveryError {
  const made = platforms.map(formatPlatform).join(', ');
  const there = [...new Set(nodes.map(inWords))].join(', ');
  return new DeliveryError({
    code: 'PLATFORM_UNFIT',
    side: 'cluster',
    message: `The image is made for ${made}, and every node that ${describe(refOf(workload))} may run on is ${there}. Nothing was changed.`,
    remedy:
      "Build the image for the nodes' platform (BuildModelImage: 'platforms'), or add nodes of the image's.",
  });
}

/**
 * Compares the platforms of an image with the nodes of the cluster. Throws PLATFORM_UNFIT when none of them can run it, warns of
 * nodes where it would not start, and does nothing where the platforms are not known or nodes may not be listed.
 * A pool that is scaled to nothing has no nodes to compare with: a workload that selects it is left to the rollout.
 */
export async function checkPlatforms(
  client: KubeClient,
  workloads: readonly KubeObject[],
  platforms: readonly Platform[],
  options: { readonly log: Log; readonly signal: AbortSignal },
): Promise<void> {
  if (platforms.length === 0 || workloads.length === 0) return;
  let nodes: NodePlatform[];
  try {
    nodes = await nodesOf(client, options.signal);
  } catch (error) {
    if (!(error instanceof ApiError) || error.status !== 403) throw error;
    options.log.debug("Nodes may not be listed, so the image's platforms are not compared with theirs.");
    return;
  }
  const fits = (node: NodePlatform): boolean =>
    platforms.some(({ os, architecture }) => os === node.os && architecture === node.architecture);
  for (const workload of workloads) {
    const possible = selected(nodes, workload);
    const others = possible.filter((node) => !fits(node));
    if (others.length === 0) continue;
    if (others.length === possible.length) throw unfit(workload, platforms, possible);
    const names = others.slice(0, 5).map((node) => `${node.name} (${inWords(node)})`);
    options.log.warning(
      `The image cannot run on every node that ${describe(refOf(workload))} may come to: ${names.join(', ')}. Select nodes by '${architectureLabel}' or '${osLabel}', or build it for these too.`,
    );
  }
}
