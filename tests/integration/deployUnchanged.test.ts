import assert from 'node:assert/strict';
import { parseAllDocuments } from 'yaml';
import { isAutoscaled } from '../../src/kube/objects/autoscaled.ts';
import type { KubeObject } from '../../src/kube/objects/objects.ts';
import { isRecord, refOf } from '../../src/kube/objects/objects.ts';
import { isAsApplied } from '../../src/kube/plan/ownedFields.ts';
import { comparable, plan } from '../../src/kube/plan/plan.ts';
import { soon, type TestNamespace, testNamespace } from '../support/deployment.ts';
import { recordingHost } from '../support/host.ts';
import { services } from '../support/services.ts';

/** One object of each kind that is often deployed, with lists by keys, sets, atomic lists and defaulted fields. */
const manifests = `
apiVersion: v1
kind: ConfigMap
metadata: { name: settings, labels: { app: web }, annotations: { model-delivery/run: "1" } }
data: { greeting: hello, empty: "" }
---
apiVersion: v1
kind: Secret
metadata: { name: secret }
data: { password: cGFzc3dvcmQ= }
---
apiVersion: v1
kind: Service
metadata: { name: web, finalizers: [example.com/kept] }
spec:
  selector: { app: web }
  ports: [{ name: http, port: 80, targetPort: http }, { name: admin, port: 81 }]
---
apiVersion: apps/v1
kind: Deployment
metadata: { name: web }
spec:
  replicas: 0
  selector: { matchLabels: { app: web } }
  template:
    metadata: { labels: { app: web } }
    spec:
      tolerations: [{ key: gpu, operator: Exists }]
      volumes: [{ name: scratch, emptyDir: {} }]
      initContainers: [{ name: first, image: web, command: [prepare, --all] }]
      containers:
        - name: web
          image: web
          env: [{ name: A, value: "1" }, { name: B, value: "2" }]
          ports: [{ containerPort: 8080 }, { containerPort: 8081, name: admin }]
          volumeMounts: [{ name: scratch, mountPath: /tmp }]
          resources: { requests: { cpu: 250m, memory: 1Gi } }
---
apiVersion: batch/v1
kind: CronJob
metadata: { name: nightly }
spec:
  schedule: "0 3 * * *"
  suspend: true
  jobTemplate:
    spec:
      template:
        spec: { restartPolicy: Never, containers: [{ name: job, image: web }] }
---
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata: { name: web }
spec:
  scaleTargetRef: { apiVersion: apps/v1, kind: Deployment, name: web }
  minReplicas: 1
  maxReplicas: 3
  metrics: [{ type: Resource, resource: { name: cpu, target: { type: Utilization, averageUtilization: 70 } } }]
---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: { name: web }
spec:
  rules:
    - host: web.example
      http: { paths: [{ path: /, pathType: Prefix, backend: { service: { name: web, port: { name: http } } } }] }
`;

type Step = string | number;

/** Paths of all single values below. */
function leaves(value: unknown, at: readonly Step[] = []): (readonly Step[])[] {
  if (Array.isArray(value)) return value.flatMap((item, index) => leaves(item, [...at, index]));
  if (isRecord(value)) return Object.entries(value).flatMap(([name, item]) => leaves(item, [...at, name]));
  return [at];
}

function changed(value: unknown, [step, ...rest]: readonly Step[], to: unknown): unknown {
  if (step === undefined) return to;
  if (Array.isArray(value)) return value.map((item, at) => (at === step ? changed(item, rest, to) : item));
  const record = isRecord(value) ? value : {};
  if (rest.length > 0 || to !== undefined) return { ...record, [step]: changed(record[step], rest, to) };
  return Object.fromEntries(Object.entries(record).filter(([name]) => name !== step));
}

describe('What is as it was applied', function () {
  this.timeout(60_000);
  let namespace: TestNamespace;
  let objects: KubeObject[];

  before(async function () {
    this.timeout(900_000);
    const { cluster } = await services('cluster');
    namespace = await testNamespace(cluster);
    objects = parseAllDocuments(manifests).map((document) => {
      const object = document.toJS() as KubeObject;
      return { ...object, metadata: { ...object.metadata, namespace: namespace.name } };
    });
    for (const object of objects) {
      await namespace.client.apply(object, { dryRun: false, force: false }, soon());
    }
  });

  after(async () => {
    const kept = objects.find((object) => object.kind === 'Service');
    // The namespace would never end with it.
    const { finalizers: _finalizers, ...metadata } = kept?.metadata ?? { name: '' };
    if (kept !== undefined) {
      await namespace.client.apply({ ...kept, metadata }, { dryRun: false, force: true }, soon());
    }
    await namespace?.remove();
  });

  const live = async (object: KubeObject): Promise<KubeObject> => {
    const found = await namespace.client.get(refOf(object), soon());
    assert.ok(found, object.kind);
    return found;
  };

  it('is known for every kind without asking the API server what an apply would do', async () => {
    for (const object of objects) assert.ok(isAsApplied(object, await live(object)), object.kind);
  });

  it('is no more so when any value of the manifest changes or leaves it', async () => {
    for (const object of objects) {
      const now = await live(object);
      const ours = leaves(object).filter(
        ([first, second]) => first === 'spec' || first === 'data' || second === 'labels',
      );
      for (const path of ours) {
        const where = `${object.kind} ${path.join('.')}`;
        assert.equal(isAsApplied(changed(object, path, 'other') as KubeObject, now), false, where);
        assert.equal(isAsApplied(changed(object, path, undefined) as KubeObject, now), false, `no ${where}`);
      }
    }
  });

  it('is no more so when somebody else has changed a value, and the dry run agrees', async () => {
    const [settings] = objects;
    assert.ok(settings);
    const now = await live(settings);
    const { managedFields: _fields, ...metadata } = now.metadata;
    await namespace.client.update({ ...now, metadata, data: { greeting: 'moved' } }, soon());
    const there = await live(settings);
    assert.equal(isAsApplied(settings, there), false);
    const planned = await namespace.client.apply(settings, { dryRun: true, force: true }, soon());
    assert.notDeepEqual(comparable(planned), comparable(there));
    await namespace.client.apply(settings, { dryRun: false, force: true }, soon());
    assert.ok(isAsApplied(settings, await live(settings)));
  });

  it("leaves an autoscaler's number of replicas alone, whatever the manifest names", async () => {
    const web = objects.find((object) => object.kind === 'Deployment');
    assert.ok(web);
    // Scaled as the autoscaler's controller does it.
    await namespace.transport.json({
      call: { verb: 'scale', what: 'the Deployment' },
      method: 'PATCH',
      path: `/apis/apps/v1/namespaces/${namespace.name}/deployments/web/scale`,
      query: { fieldManager: 'kube-controller-manager' },
      contentType: 'application/merge-patch+json',
      body: { spec: { replicas: 1 } },
      signal: soon(),
    });
    assert.ok(isAutoscaled(await live(web)));
    const { host, said } = recordingHost({ workingFolder: '/nonexistent' });
    const options = { force: false, log: host.log, signal: soon() };
    const [change] = await plan(namespace.client, [{ origin: 'web.yaml', object: web }], options);
    assert.equal(change?.action, 'none');
    assert.match(said.lines.join('\n'), /replicas are left to its autoscaler/);
  });
});
