import type { Container, ResourceRequirements } from 'kubernetes-types/core/v1.d.ts';
import type { Manifest } from './manifests.ts';

/** What a Deployment and its Service are generated from when there are no manifests. */
export interface Application {
  /** DNS label: name of both objects. */
  readonly name: string;
  readonly replicas: number;
  /** The port that the container listens on. */
  readonly port: number;
  readonly service: { readonly type: 'LoadBalancer' | 'ClusterIP' | 'NodePort'; readonly port: number };
  readonly requests: Readonly<Record<string, string>>;
  readonly limits: Readonly<Record<string, string>>;
  /** Path that answers 2xx once the pod can serve; without it an open port counts as ready. */
  readonly readinessPath?: string;
  /** Existing secret with the registry's credentials. */
  readonly imagePullSecret?: string;
}

/** Time between a pod's removal from the Service and its SIGTERM: nodes need it to stop sending requests. */
const drainSeconds = 5;

function resources(application: Application): ResourceRequirements | undefined {
  const { requests, limits } = application;
  if (Object.keys(requests).length + Object.keys(limits).length === 0) return undefined;
  return {
    ...(Object.keys(requests).length === 0 ? {} : { requests }),
    ...(Object.keys(limits).length === 0 ? {} : { limits }),
  };
}

function container(application: Application, image: string): Container {
  const wanted = resources(application);
  return {
    name: application.name,
    image,
    ports: [{ name: 'http', containerPort: application.port, protocol: 'TCP' }],
    readinessProbe: {
      ...(application.readinessPath === undefined
        ? { tcpSocket: { port: 'http' } }
        : { httpGet: { path: application.readinessPath, port: 'http' } }),
      periodSeconds: 2,
      failureThreshold: 3,
      timeoutSeconds: 5,
    },
    // The sleep is the kubelet's own (Kubernetes 1.30 and later): the image needs no shell for it.
    lifecycle: { preStop: { sleep: { seconds: drainSeconds } } },
    securityContext: { allowPrivilegeEscalation: false },
    ...(wanted === undefined ? {} : { resources: wanted }),
  };
}

function deployment(
  application: Application,
  image: string,
  labels: Readonly<Record<string, string>>,
): Manifest {
  const { imagePullSecret } = application;
  return {
    origin: `generated from 'appName: ${application.name}'`,
    object: {
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      metadata: { name: application.name, labels },
      spec: {
        replicas: application.replicas,
        selector: { matchLabels: labels },
        strategy: { type: 'RollingUpdate', rollingUpdate: { maxUnavailable: 0, maxSurge: '25%' } },
        template: {
          metadata: { labels },
          spec: {
            containers: [container(application, image)],
            securityContext: { seccompProfile: { type: 'RuntimeDefault' } },
            ...(imagePullSecret === undefined ? {} : { imagePullSecrets: [{ name: imagePullSecret }] }),
          },
        },
      },
    },
  };
}

function service(application: Application, labels: Readonly<Record<string, string>>): Manifest {
  return {
    origin: `generated from 'appName: ${application.name}'`,
    object: {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name: application.name, labels },
      spec: {
        type: application.service.type,
        selector: labels,
        ports: [{ name: 'http', port: application.service.port, targetPort: 'http', protocol: 'TCP' }],
      },
    },
  };
}

/** The Deployment and the Service of an application, rolling without a pod less than wanted. */
export function generate(application: Application, image: string): Manifest[] {
  const labels = { 'app.kubernetes.io/name': application.name };
  return [deployment(application, image, labels), service(application, labels)];
}
