import { around } from './generateAround.ts';
import { podSpec } from './generatePod.ts';
import type { Manifest } from './manifests.ts';
import type { KubeObject } from './objects.ts';

/** How users reach the Service by name: an Ingress, or a route of a Gateway. */
export type Route =
  | {
      readonly kind: 'ingress';
      readonly host?: string;
      readonly path: string;
      /** Existing secret with the certificate. */
      readonly tlsSecret?: string;
      readonly className?: string;
    }
  | {
      readonly kind: 'gateway';
      /** `name`, or `namespace/name`. */
      readonly gateway: string;
      readonly host?: string;
      readonly path: string;
    };

/** What a Deployment, its Service and what is around them are generated from when there are no manifests. */
export interface Application {
  /** DNS label: name of all objects. */
  readonly name: string;
  readonly replicas: number;
  /** The port that the container listens on. */
  readonly port: number;
  readonly service: { readonly type: 'LoadBalancer' | 'ClusterIP' | 'NodePort'; readonly port: number };
  readonly requests: Readonly<Record<string, string>>;
  readonly limits: Readonly<Record<string, string>>;
  readonly gpu?: { readonly resource: string; readonly count: number };
  /** Path that answers 2xx once the pod can serve; without it an open port counts as ready. */
  readonly readinessPath?: string;
  /** Path that answers 2xx while the container need not be restarted. */
  readonly livenessPath?: string;
  /** Longest time until it is ready for the first time, for example to load the model. */
  readonly startupSeconds?: number;
  /** Existing secret with the registry's credentials. */
  readonly imagePullSecret?: string;
  /** auto: where the image names a user that is not root. */
  readonly nonRoot: 'auto' | 'always' | 'never';
  readonly isSpread: boolean;
  readonly hasBudget: boolean;
  readonly autoscaler?: { readonly maxReplicas: number; readonly cpuPercent: number };
  readonly route?: Route;
}

/** The image as far as the objects depend on it. */
export interface GeneratedImage {
  readonly reference: string;
  /** The user that its configuration names. */
  readonly user?: string;
}

type Labels = Readonly<Record<string, string>>;

/** The kubelet can tell only of a number that it is not root's. */
function isNonRoot({ nonRoot }: Application, { user = '' }: GeneratedImage): boolean {
  return nonRoot === 'always' || (nonRoot === 'auto' && /^[1-9]\d*(:|$)/.test(user));
}

function deployment(application: Application, image: GeneratedImage, labels: Labels): KubeObject {
  const spec = podSpec(application, image.reference, labels, isNonRoot(application, image));
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name: application.name, labels },
    spec: {
      replicas: application.replicas,
      selector: { matchLabels: labels },
      strategy: { type: 'RollingUpdate', rollingUpdate: { maxUnavailable: 0, maxSurge: '25%' } },
      template: { metadata: { labels }, spec },
    },
  };
}

function service({ name, service: { type, port } }: Application, labels: Labels): KubeObject {
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name, labels },
    spec: { type, selector: labels, ports: [{ name: 'http', port, targetPort: 'http', protocol: 'TCP' }] },
  };
}

/** The objects of an application, rolling without a pod less than wanted. */
export function generate(application: Application, image: GeneratedImage): Manifest[] {
  const labels = { 'app.kubernetes.io/name': application.name };
  const objects = [
    deployment(application, image, labels),
    service(application, labels),
    ...around(application, labels),
  ];
  const origin = `generated from 'appName: ${application.name}'`;
  return objects.map((object) => ({ origin, object }));
}
