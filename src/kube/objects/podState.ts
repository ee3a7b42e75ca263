import type { ContainerStatus, Pod } from 'kubernetes-types/core/v1.d.ts';

/** What keeps a pod from being ready. */
export interface PodTrouble {
  readonly kind: 'image' | 'crash' | 'memory' | 'configuration' | 'scheduling';
  readonly pod: string;
  readonly container?: string;
  /** One sentence with the kubelet's or the registry's own words. */
  readonly message: string;
  /** True when waiting longer cannot help. */
  readonly terminal: boolean;
}

const imageReasons = new Set(['ErrImagePull', 'ImagePullBackOff', 'ImageInspectError', 'ErrImageNeverPull']);
const configurationReasons = new Set(['CreateContainerConfigError', 'InvalidImageName']);

/** Answers of a registry that the next attempt will get again. */
export const finalImageAnswer =
  /not found|manifest unknown|name unknown|unauthorized|authentication required|denied|forbidden|40[134]|no match for platform|invalid reference|http response to https|certificate/i;

function statuses(pod: Pod): ContainerStatus[] {
  return [...(pod.status?.initContainerStatuses ?? []), ...(pod.status?.containerStatuses ?? [])];
}

function podName(pod: Pod): string {
  return pod.metadata?.name ?? '';
}

function imageTrouble(pod: Pod, status: ContainerStatus): PodTrouble | undefined {
  const waiting = status.state?.waiting;
  const reason = waiting?.reason ?? '';
  if (!imageReasons.has(reason)) return undefined;
  const message = waiting?.message ?? '';
  return {
    kind: 'image',
    pod: podName(pod),
    container: status.name,
    message: `the image ${status.image} cannot be pulled: ${message || reason}`,
    terminal: reason === 'ErrImageNeverPull' || finalImageAnswer.test(message),
  };
}

function memoryTrouble(pod: Pod, status: ContainerStatus): PodTrouble | undefined {
  const ended = [status.state?.terminated, status.lastState?.terminated];
  if (!ended.some((state) => state?.reason === 'OOMKilled')) return undefined;
  return {
    kind: 'memory',
    pod: podName(pod),
    container: status.name,
    message: `container '${status.name}' needed more memory than its limit and was killed (OOMKilled)`,
    terminal: true,
  };
}

/** A first crash may be a race with something it needs; the second in a row is the image's own. */
function crashTrouble(pod: Pod, status: ContainerStatus): PodTrouble | undefined {
  const waiting = status.state?.waiting;
  const ended = status.state?.terminated ?? status.lastState?.terminated;
  const startFailure = waiting?.reason === 'RunContainerError' || waiting?.reason === 'CreateContainerError';
  if (waiting?.reason !== 'CrashLoopBackOff' && !startFailure) return undefined;
  const why = startFailure
    ? `cannot be started: ${waiting?.message ?? waiting?.reason}`
    : `crashes with exit code ${ended?.exitCode ?? '?'}${ended?.message ? ` (${ended.message})` : ''}`;
  return {
    kind: 'crash',
    pod: podName(pod),
    container: status.name,
    message: `container '${status.name}' ${why}`,
    terminal: status.restartCount >= 1,
  };
}

function configurationTrouble(pod: Pod, status: ContainerStatus): PodTrouble | undefined {
  const waiting = status.state?.waiting;
  if (!configurationReasons.has(waiting?.reason ?? '')) return undefined;
  return {
    kind: 'configuration',
    pod: podName(pod),
    container: status.name,
    message: `container '${status.name}' cannot be configured: ${waiting?.message ?? waiting?.reason ?? ''}`,
    terminal: true,
  };
}

function schedulingTrouble(pod: Pod): PodTrouble | undefined {
  const condition = pod.status?.conditions?.find((one) => one.type === 'PodScheduled');
  if (condition?.status !== 'False') return undefined;
  return {
    kind: 'scheduling',
    pod: podName(pod),
    message: `no node takes the pod: ${condition.message ?? condition.reason ?? ''}`,
    terminal: false,
  };
}

/** What is wrong with this pod, worst first; undefined while nothing is. */
export function podTrouble(pod: Pod): PodTrouble | undefined {
  const checks = [memoryTrouble, configurationTrouble, imageTrouble, crashTrouble];
  const found = statuses(pod).flatMap((status) => checks.map((check) => check(pod, status)));
  const troubles = found.filter((trouble) => trouble !== undefined);
  return troubles.find((trouble) => trouble.terminal) ?? troubles[0] ?? schedulingTrouble(pod);
}

export function isReady(pod: Pod): boolean {
  return pod.status?.conditions?.some((one) => one.type === 'Ready' && one.status === 'True') === true;
}

/** What a pod without trouble waits for; the times of a start come in this order. */
function nextStep(pod: Pod): string {
  const node = pod.spec?.nodeName;
  const known = statuses(pod);
  const waiting = known.find((status) => status.state?.waiting !== undefined)?.state?.waiting;
  if (node === undefined) return 'waiting for a node';
  // The kubelet's first sign: https://kubernetes.io/docs/reference/kubernetes-api/workload-resources/pod-v1/#PodStatus
  const isTakenUp = pod.status?.startTime !== undefined || known.length > 0;
  if (!isTakenUp) return `not taken up yet by node '${node}'`;
  if (waiting?.reason === 'PodInitializing') return 'init containers run';
  return waiting !== undefined || known.length === 0
    ? 'pulling the image and starting'
    : 'running, not ready yet';
}

/** What the pod waits for, in a few words; undefined when it is ready. */
export function waitingFor(pod: Pod): string | undefined {
  if (isReady(pod)) return undefined;
  const isEnding = pod.metadata?.deletionTimestamp !== undefined;
  return podTrouble(pod)?.message ?? (isEnding ? 'ending' : nextStep(pod));
}
