import { randomBytes } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { stringify } from 'yaml';
import type { LocalContext } from '../../local/lib/context.ts';
import { startDaemon, stopDaemon } from '../../local/lib/daemon.ts';
import type { ClusterEndpoint } from '../../local/lib/endpoints.ts';
import { ensureGoBinary } from '../../local/toolchain/binary.ts';
import type { KubeClient } from '../../src/kube/api/client.ts';
import type { KubeObject } from '../../src/kube/objects/objects.ts';
import { soon } from './deployment.ts';

/** kwok, built once for this user: it plays nodes and their pods against a real API server. */
export function kwokBinary(context: LocalContext): Promise<string> {
  return ensureGoBinary(context, {
    ...{ name: 'kwok', package: 'sigs.k8s.io/kwok/cmd/kwok', version: 'v0.8.0' },
    duration: 'about a minute',
  });
}

/** Nodes that are played, and what a pod's specification needs to come to them and nowhere else. */
export interface PlayedNodes {
  readonly podSpec: { readonly nodeSelector: object; readonly tolerations: readonly object[] };
  remove(): Promise<void>;
}

const mark = 'played-by-kwok';

function stage(kind: string, name: string, matchExpressions: readonly object[], more: object): object {
  return {
    ...{ apiVersion: 'kwok.x-k8s.io/v1alpha1', kind: 'Stage', metadata: { name } },
    spec: { resourceRef: { apiGroup: 'v1', kind }, selector: { matchExpressions }, ...more },
  };
}

const readyNode = `
conditions:
- { type: Ready, status: "True", reason: KubeletReady, message: played, lastHeartbeatTime: {{ Now | Quote }}, lastTransitionTime: {{ Now | Quote }} }
`;

const readyPod = `
phase: Running
startTime: {{ Now | Quote }}
conditions:
{{ range $type := (list "Initialized" "ContainersReady" "Ready") }}
- { type: {{ $type }}, status: "True", lastTransitionTime: {{ Now | Quote }} }
{{ end }}
containerStatuses:
{{ range .spec.containers }}
- { name: {{ .name | Quote }}, image: {{ .image | Quote }}, ready: true, restartCount: 0, state: { running: { startedAt: {{ Now | Quote }} } } }
{{ end }}
`;

/** Nodes are ready at once; pods within three seconds; what is deleted is gone. */
const stages = [
  stage('Node', 'ready', [{ key: '.status.conditions', operator: 'DoesNotExist' }], {
    next: { statusTemplate: readyNode },
  }),
  stage(
    'Pod',
    'ready',
    [
      { key: '.metadata.deletionTimestamp', operator: 'DoesNotExist' },
      { key: '.status.phase', operator: 'In', values: ['Pending'] },
    ],
    {
      delay: { durationMilliseconds: 300, jitterDurationMilliseconds: 3000 },
      next: { statusTemplate: readyPod },
    },
  ),
  stage('Pod', 'gone', [{ key: '.metadata.deletionTimestamp', operator: 'Exists' }], {
    next: { delete: true },
  }),
];

function node(name: string, group: string): KubeObject {
  const room = { cpu: '1000', memory: '1000Gi', pods: '1000' };
  const system = {
    architecture: 'amd64',
    operatingSystem: 'linux',
    containerRuntimeVersion: 'containerd://2.2.1',
  };
  const empty = [
    'bootID',
    'kernelVersion',
    'kubeProxyVersion',
    'kubeletVersion',
    'machineID',
    'osImage',
    'systemUUID',
  ];
  const labels = { 'kubernetes.io/os': 'linux', 'kubernetes.io/arch': 'amd64', [mark]: group };
  return {
    ...{ apiVersion: 'v1', kind: 'Node', metadata: { name, labels } },
    spec: { taints: [{ key: mark, value: group, effect: 'NoSchedule' }] },
    status: {
      ...{ capacity: room, allocatable: room },
      nodeInfo: { ...Object.fromEntries(empty.map((field) => [field, ''])), ...system },
    },
  };
}

/** Plays so many nodes, with room for 1,000 pods each; other workloads of the cluster keep away from them. */
export async function playNodes(
  context: LocalContext,
  cluster: ClusterEndpoint,
  client: KubeClient,
  count: number,
): Promise<PlayedNodes> {
  const binary = await kwokBinary(context);
  const group = randomBytes(3).toString('hex');
  const name = `kwok-${group}`;
  const config = join(context.stateFolder, `${name}.yaml`);
  await writeFile(config, stages.map((one) => stringify(one)).join('---\n'));
  const nodes = Array.from({ length: count }, (_, at) => node(`played-${group}-${at}`, group));
  for (const one of nodes) await client.create(one, soon());
  const flags = ['--config', config, '--manage-nodes-with-label-selector', `${mark}=${group}`];
  const args = ['--kubeconfig', cluster.kubeconfig, '--node-lease-duration-seconds', '40', ...flags];
  const isReady = async (): Promise<boolean> => {
    const { items } = await client.list(
      { apiVersion: 'v1', kind: 'Node', namespace: '', labelSelector: `${mark}=${group}` },
      soon(),
    );
    return items.every(({ status }) => JSON.stringify(status).includes('KubeletReady'));
  };
  await startDaemon(context, { name, command: binary, args, ready: isReady });
  return {
    podSpec: {
      nodeSelector: { [mark]: group },
      tolerations: [{ key: mark, operator: 'Equal', value: group }],
    },
    async remove() {
      await stopDaemon(context, name);
      for (const { metadata } of nodes) {
        const ref = { apiVersion: 'v1', kind: 'Node', name: metadata.name };
        await client.remove(ref, { propagation: 'Background' }, soon());
      }
    },
  };
}
