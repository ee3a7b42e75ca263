import type { KubeObject } from '../objects/objects.ts';
import type { Application } from './generated.ts';

type Labels = Readonly<Record<string, string>>;

/** Keeps the number of pods by their CPU; the Deployment's own number is the least. */
function autoscaler({ name, replicas, autoscaler: wanted }: Application, labels: Labels): KubeObject[] {
  if (wanted === undefined) return [];
  const target = { type: 'Utilization', averageUtilization: wanted.cpuPercent };
  return [
    {
      apiVersion: 'autoscaling/v2',
      kind: 'HorizontalPodAutoscaler',
      metadata: { name, labels },
      spec: {
        scaleTargetRef: { apiVersion: 'apps/v1', kind: 'Deployment', name },
        minReplicas: Math.max(1, replicas),
        maxReplicas: wanted.maxReplicas,
        metrics: [{ type: 'Resource', resource: { name: 'cpu', target } }],
      },
    },
  ];
}

/** Lets a drain of nodes take one pod at a time. */
function disruptionBudget({ name, hasBudget }: Application, labels: Labels): KubeObject[] {
  if (!hasBudget) return [];
  const spec = { maxUnavailable: 1, selector: { matchLabels: labels } };
  return [{ apiVersion: 'policy/v1', kind: 'PodDisruptionBudget', metadata: { name, labels }, spec }];
}

function ingress({ name, route }: Application, labels: Labels): KubeObject[] {
  if (route?.kind !== 'ingress') return [];
  const { host, path, tlsSecret, className } = route;
  const backend = { service: { name, port: { name: 'http' } } };
  const hosts = host === undefined ? {} : { hosts: [host] };
  return [
    {
      apiVersion: 'networking.k8s.io/v1',
      kind: 'Ingress',
      metadata: { name, labels },
      spec: {
        ...(className === undefined ? {} : { ingressClassName: className }),
        ...(tlsSecret === undefined ? {} : { tls: [{ ...hosts, secretName: tlsSecret }] }),
        rules: [
          {
            ...(host === undefined ? {} : { host }),
            http: { paths: [{ path, pathType: 'Prefix', backend }] },
          },
        ],
      },
    },
  ];
}

function httpRoute({ name, route, service }: Application, labels: Labels): KubeObject[] {
  if (route?.kind !== 'gateway') return [];
  const { gateway, host, path } = route;
  const [place, own] = gateway.includes('/') ? gateway.split('/') : [undefined, gateway];
  const parent = { name: own ?? gateway, ...(place === undefined ? {} : { namespace: place }) };
  return [
    {
      apiVersion: 'gateway.networking.k8s.io/v1',
      kind: 'HTTPRoute',
      metadata: { name, labels },
      spec: {
        parentRefs: [parent],
        ...(host === undefined ? {} : { hostnames: [host] }),
        rules: [
          {
            matches: [{ path: { type: 'PathPrefix', value: path } }],
            backendRefs: [{ name, port: service.port }],
          },
        ],
      },
    },
  ];
}

/** What an application has beside its Deployment and its Service, as asked for. */
export function around(application: Application, labels: Labels): KubeObject[] {
  return [autoscaler, disruptionBudget, ingress, httpRoute].flatMap((make) => make(application, labels));
}
