import type { KubeObject } from '../objects/objects.ts';
import { around } from './generateAround.ts';
import type { Application, GeneratedImage } from './generated.ts';
import { podSpec } from './generatePod.ts';
import type { Manifest } from './manifests.ts';

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
