import type { Node, PodSpec, Volume } from 'kubernetes-types/core/v1.d.ts';
import { DeliveryError } from '../../errors.ts';
import type { Log } from '../../host/host.ts';
import type { KubeClient } from '../api/client.ts';
import { ApiError } from '../api/statusError.ts';
import type { KubeObject } from '../objects/objects.ts';
import { withContainers, withPodTemplate } from '../objects/workload.ts';

/** The model's own image, as a folder of the application's containers. */
export interface ModelVolume {
  /** `registry/repository@sha256:…`. */
  readonly reference: string;
  /** Absolute folder of the model, in its image as in the container. */
  readonly path: string;
}

type Version = readonly [number, number];

const oldestServer: Version = [1, 35];
/** 2.1 mounts image volumes too, but ignores their sub-path silently: https://github.com/containerd/containerd/pull/11578 */
const oldestContainerd: Version = [2, 2];
const volumeName = 'model-delivery-model';

function versionIn(text: string): Version | undefined {
  const [, major, minor] = /(\d+)\.(\d+)/.exec(text) ?? [];
  return major === undefined || minor === undefined ? undefined : [Number(major), Number(minor)];
}

function isOlder(version: Version, than: Version): boolean {
  return version[0] < than[0] || (version[0] === than[0] && version[1] < than[1]);
}

/** The node and its runtime in words, when that runtime is too old. */
function oldRuntime(node: KubeObject): string[] {
  const runtime = (node as Node).status?.nodeInfo?.containerRuntimeVersion ?? '';
  const version = runtime.startsWith('containerd://') ? versionIn(runtime) : undefined;
  if (version === undefined || !isOlder(version, oldestContainerd)) return [];
  return [`${node.metadata.name} (${runtime.replace('://', ' ')})`];
}

function unsupported(message: string, update: string): DeliveryError {
  return new DeliveryError({
    code: 'IMAGE_VOLUME_UNSUPPORTED',
    side: 'cluster',
    message: `'modelDelivery: imageVolume' cannot work here: ${message}. Nothing was changed.`,
    remedy: `${update}, or use 'modelDelivery: baked'.`,
  });
}

async function nodesOf(client: KubeClient, log: Log, signal: AbortSignal): Promise<readonly KubeObject[]> {
  try {
    const all = { apiVersion: 'v1', kind: 'Node', namespace: '' };
    return (await client.list(all, signal)).items;
  } catch (error) {
    if (!(error instanceof ApiError) || error.status !== 403) throw error;
    log.warning(
      `This identity may not list nodes, so it is not known whether each runs containerd ${oldestContainerd.join('.')} or later; an older one would show the application no model.`,
    );
    return [];
  }
}

/** Why a cluster of this version and these nodes cannot mount a folder of an image; undefined when it can. */
export function volumeProblem(server: string, nodes: readonly KubeObject[]): DeliveryError | undefined {
  const version = versionIn(server);
  if (version !== undefined && isOlder(version, oldestServer)) {
    const update = `Update the cluster to ${oldestServer.join('.')} or later`;
    return unsupported(`the cluster runs Kubernetes ${server}`, update);
  }
  const old = nodes.flatMap(oldRuntime);
  if (old.length === 0) return undefined;
  const update = `Update their node image to containerd ${oldestContainerd.join('.')} or later`;
  return unsupported(`these nodes are too old: ${old.join(', ')}`, update);
}

/**
 * Checks that the cluster mounts a folder of an image: Kubernetes ≥ 1.35 and containerd ≥ 2.2 on each node that
 * runs containerd. Throws IMAGE_VOLUME_UNSUPPORTED.
 */
export async function checkModelVolume(client: KubeClient, log: Log, signal: AbortSignal): Promise<void> {
  const [server, nodes] = await Promise.all([client.version(signal), nodesOf(client, log, signal)]);
  const problem = volumeProblem(server, nodes);
  if (problem !== undefined) throw problem;
}

/** The volume's type of Kubernetes 1.35, which the type definitions do not have yet. */
function imageVolume(volume: ModelVolume): Volume {
  const image = { reference: volume.reference, pullPolicy: 'IfNotPresent' };
  return { name: volumeName, image } as Volume;
}

function mounted(spec: PodSpec, image: string, volume: ModelVolume): PodSpec {
  const mount = { name: volumeName, mountPath: volume.path, subPath: volume.path.replace(/^\/+/, '') };
  const withMount = withContainers(spec, (container) =>
    container.image === image
      ? { ...container, volumeMounts: [...(container.volumeMounts ?? []), { ...mount, readOnly: true }] }
      : container,
  );
  return { ...withMount, volumes: [...(spec.volumes ?? []), imageVolume(volume)] };
}

/** Mounts the model into every container that runs the image. */
export function withModelVolume(object: KubeObject, image: string, volume: ModelVolume): KubeObject {
  return withPodTemplate(object, (template) =>
    template.spec === undefined ? template : { ...template, spec: mounted(template.spec, image, volume) },
  );
}
