import type { Container, PodSpec, Probe, ResourceRequirements } from 'kubernetes-types/core/v1.d.ts';
import type { Application } from './generated.ts';

/** Time between a pod's removal from the Service and its SIGTERM: nodes need it to stop sending requests. */
const drainSeconds = 5;
const startupEverySeconds = 5;
/** AKS's own taint of GPU nodes, and that of NVIDIA's documentation. */
const gpuTaints = ['sku', 'nvidia.com/gpu'];

function resources(application: Application): ResourceRequirements | undefined {
  const { requests, gpu } = application;
  const limits = {
    ...application.limits,
    ...(gpu === undefined ? {} : { [gpu.resource]: String(gpu.count) }),
  };
  if (Object.keys(requests).length + Object.keys(limits).length === 0) return undefined;
  return {
    ...(Object.keys(requests).length === 0 ? {} : { requests }),
    ...(Object.keys(limits).length === 0 ? {} : { limits }),
  };
}

function ask(path: string | undefined): Probe {
  return path === undefined ? { tcpSocket: { port: 'http' } } : { httpGet: { path, port: 'http' } };
}

function probes(
  application: Application,
): Pick<Container, 'readinessProbe' | 'livenessProbe' | 'startupProbe'> {
  const { readinessPath, livenessPath, startupSeconds } = application;
  const failureThreshold = Math.ceil((startupSeconds ?? 0) / startupEverySeconds);
  return {
    readinessProbe: { ...ask(readinessPath), periodSeconds: 2, failureThreshold: 3, timeoutSeconds: 5 },
    ...(livenessPath === undefined
      ? {}
      : {
          livenessProbe: { ...ask(livenessPath), periodSeconds: 10, failureThreshold: 6, timeoutSeconds: 5 },
        }),
    ...(startupSeconds === undefined
      ? {}
      : { startupProbe: { ...ask(readinessPath), periodSeconds: startupEverySeconds, failureThreshold } }),
  };
}

function container(application: Application, image: string, isNonRoot: boolean): Container {
  const wanted = resources(application);
  return {
    name: application.name,
    image,
    ports: [{ name: 'http', containerPort: application.port, protocol: 'TCP' }],
    ...probes(application),
    // The sleep is the kubelet's own (Kubernetes 1.30 and later): the image needs no shell for it.
    lifecycle: { preStop: { sleep: { seconds: drainSeconds } } },
    securityContext: {
      allowPrivilegeEscalation: false,
      ...(isNonRoot ? { runAsNonRoot: true, capabilities: { drop: ['ALL'] } } : {}),
    },
    ...(wanted === undefined ? {} : { resources: wanted }),
  };
}

/** The same pods over zones and nodes as evenly as there is room. */
function spread(labels: Readonly<Record<string, string>>): Pick<PodSpec, 'topologySpreadConstraints'> {
  const keys = ['topology.kubernetes.io/zone', 'kubernetes.io/hostname'];
  return {
    topologySpreadConstraints: keys.map((topologyKey) => ({
      maxSkew: 1,
      topologyKey,
      whenUnsatisfiable: 'ScheduleAnyway',
      labelSelector: { matchLabels: labels },
    })),
  };
}

/** The pods of an application; `isNonRoot` makes the kubelet refuse to run them as root. */
export function podSpec(
  application: Application,
  image: string,
  labels: Readonly<Record<string, string>>,
  isNonRoot: boolean,
): PodSpec {
  const { imagePullSecret, gpu } = application;
  const tolerations = gpuTaints.map((key) => ({ key, operator: 'Exists', effect: 'NoSchedule' }));
  return {
    containers: [container(application, image, isNonRoot)],
    securityContext: { seccompProfile: { type: 'RuntimeDefault' } },
    ...(gpu === undefined ? {} : { tolerations }),
    ...(application.isSpread ? spread(labels) : {}),
    ...(imagePullSecret === undefined ? {} : { imagePullSecrets: [{ name: imagePullSecret }] }),
  };
}
