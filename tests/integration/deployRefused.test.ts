import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { KubeObject } from '../../src/kube/objects/objects.ts';
import { type Run, runDeploy, soon, type TestNamespace, testNamespace } from '../support/deployment.ts';
import { withFolder } from '../support/folder.ts';
import { services } from '../support/services.ts';

const image = `registry.example/team/app@sha256:${'a'.repeat(64)}`;

function workload(name: string, app = 'web'): object {
  const template = {
    metadata: { labels: { app } },
    spec: { containers: [{ name: 'app', image: 'team/app' }] },
  };
  const spec = { replicas: 0, selector: { matchLabels: { app } }, template };
  return { apiVersion: 'apps/v1', kind: 'Deployment', metadata: { name }, spec };
}

function configMap(name: string, data: Record<string, string> = {}): object {
  return { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name }, data };
}

/** Refuses ConfigMaps named `forbidden` in one namespace, as a cluster's policies do. */
function policy(namespace: string): KubeObject[] {
  const group = 'admissionregistration.k8s.io/v1';
  const metadata = { name: `refused-${namespace}` };
  const rule = {
    apiGroups: [''],
    apiVersions: ['v1'],
    operations: ['CREATE', 'UPDATE'],
    resources: ['configmaps'],
  };
  const namespaceSelector = { matchLabels: { 'kubernetes.io/metadata.name': namespace } };
  return [
    {
      ...{ apiVersion: group, kind: 'ValidatingAdmissionPolicy', metadata },
      spec: {
        failurePolicy: 'Fail',
        matchConstraints: { namespaceSelector, resourceRules: [rule] },
        validations: [
          { expression: "object.metadata.name != 'forbidden'", message: 'this name is not for you' },
        ],
      },
    },
    {
      ...{ apiVersion: group, kind: 'ValidatingAdmissionPolicyBinding', metadata },
      spec: { policyName: metadata.name, validationActions: ['Deny'] },
    },
  ];
}

/** A webhook for Secrets of one namespace at an address where nothing answers. */
function silentWebhook(namespace: string): KubeObject {
  const rule = { apiGroups: [''], apiVersions: ['v1'], operations: ['*'], resources: ['secrets'] };
  return {
    apiVersion: 'admissionregistration.k8s.io/v1',
    kind: 'ValidatingWebhookConfiguration',
    metadata: { name: `silent-${namespace}` },
    webhooks: [
      {
        name: 'silent.example.com',
        clientConfig: { url: 'https://127.0.0.1:1/' },
        rules: [rule],
        namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': namespace } },
        ...{ admissionReviewVersions: ['v1'], sideEffects: 'None', failurePolicy: 'Fail', timeoutSeconds: 1 },
      },
    ],
  };
}

/** Asks until the cluster says no, for half a minute. */
async function untilRefused(ask: () => Promise<unknown>): Promise<void> {
  for (let left = 300; left > 0; left -= 1) {
    const refused = await ask().then(
      () => false,
      () => true,
    );
    if (refused) return;
    await sleep(100);
  }
  throw new Error('the cluster takes what it should refuse');
}

describe('DeployToAks with what the cluster does not take', function () {
  this.timeout(60_000);
  let namespace: TestNamespace;
  let ending: TestNamespace;
  let kubeconfig: string;
  let more: KubeObject[];

  const deploy = (objects: readonly object[], inputs: Record<string, string> = {}): Promise<Run> =>
    withFolder(async (folder) => {
      await writeFile(join(folder, 'all.yaml'), objects.map((one) => JSON.stringify(one)).join('\n---\n'));
      return runDeploy({
        inputs: {
          ...{ connectionType: 'kubeconfig', kubeconfig, namespace: namespace.name, image },
          ...{ manifests: 'all.yaml', ...inputs },
        },
        workingFolder: folder,
      });
    });

  const blocking = (finalizers: readonly string[]): KubeObject => {
    const metadata = { name: 'kept', namespace: ending.name, finalizers: [...finalizers] };
    return { apiVersion: 'v1', kind: 'ConfigMap', metadata };
  };

  before(async function () {
    this.timeout(900_000);
    const { cluster } = await services('cluster');
    kubeconfig = cluster.kubeconfig;
    namespace = await testNamespace(cluster);
    ending = await testNamespace(cluster);
    const quota = {
      apiVersion: 'v1',
      kind: 'ResourceQuota',
      spec: { hard: { 'count/cronjobs.batch': '0' } },
    };
    more = [
      { ...quota, metadata: { name: 'none', namespace: namespace.name } },
      ...policy(namespace.name),
      silentWebhook(namespace.name),
    ];
    for (const object of [...more, blocking(['example.com/kept'])]) {
      await namespace.client.apply(object, { dryRun: false, force: true }, soon());
    }
    await ending.remove();
    // The API server takes a new policy or webhook into account a moment after it has taken the object.
    for (const [kind, name] of [
      ['ConfigMap', 'forbidden'],
      ['Secret', 'secret'],
    ]) {
      const object = { apiVersion: 'v1', kind, metadata: { name, namespace: namespace.name } } as KubeObject;
      await untilRefused(() => namespace.client.apply(object, { dryRun: true, force: true }, soon()));
    }
    const run = await deploy([workload('there')]);
    assert.equal(run.error, undefined, run.log);
  });

  after(async () => {
    for (const { apiVersion, kind, metadata } of more ?? []) {
      const ref = {
        apiVersion,
        kind,
        name: metadata.name,
        ...(kind === 'ResourceQuota' ? { namespace: namespace.name } : {}),
      };
      await namespace.client.remove(ref, { propagation: 'Background' }, soon());
    }
    if (ending !== undefined)
      await namespace.client.apply(blocking([]), { dryRun: false, force: true }, soon());
    await namespace?.remove();
  });

  const job = {
    metadata: {},
    spec: { template: { spec: { restartPolicy: 'Never', containers: [{ name: 'a', image: 'b' }] } } },
  };
  const cases: readonly (readonly [
    string,
    () => readonly object[],
    string,
    RegExp,
    Record<string, string>?,
  ])[] = [
    [
      'a name that is no DNS label',
      () => [
        { apiVersion: 'v1', kind: 'Service', metadata: { name: 'Web_1' }, spec: { ports: [{ port: 80 }] } },
      ],
      'MANIFEST_INVALID',
      /all\.yaml, document 2 \(line \d+\): .*metadata\.name.*Web_1/s,
    ],
    [
      'a field that is immutable',
      () => [workload('there', 'other')],
      'MANIFEST_INVALID',
      /spec\.selector.*immutable/,
    ],
    [
      'a quota that is reached',
      () => [
        {
          apiVersion: 'batch/v1',
          kind: 'CronJob',
          metadata: { name: 'job' },
          spec: { schedule: '0 0 * * *', jobTemplate: job },
        },
      ],
      'QUOTA_EXCEEDED',
      /CronJob 'job'.*exceeded quota: none/,
    ],
    [
      'an object that a policy refuses',
      () => [configMap('forbidden')],
      'ADMISSION_DENIED',
      /policy 'refused-.*not for you/,
    ],
    [
      'a webhook that does not answer',
      () => [{ apiVersion: 'v1', kind: 'Secret', metadata: { name: 'secret' } }],
      'ADMISSION_UNAVAILABLE',
      /'silent\.example\.com' gives no answer/,
    ],
    [
      'an object of 5 MB',
      () => [configMap('large', { text: 'x'.repeat(5_000_000) })],
      'MANIFEST_TOO_LARGE',
      /all\.yaml, document 2 .*as large as ConfigMap 'large'/s,
    ],
    [
      'a kind whose definition is missing',
      () => [{ apiVersion: 'example.com/v1', kind: 'Model', metadata: { name: 'm' } }],
      'KIND_UNKNOWN',
      /document 2 .*example\.com\/v1/,
    ],
    [
      'one object twice',
      () => [configMap('twice'), configMap('twice')],
      'MANIFEST_DUPLICATE',
      /document 2 .*document 3/,
    ],
  ];
  for (const [what, objects, code, expected, inputs] of cases) {
    it(`is told of ${what} before anything changes`, async () => {
      const name = what === 'a field that is immutable' ? [] : [workload('new', 'new')];
      const run = await deploy([...name, ...objects()], inputs);
      assert.equal(run.error?.code, code, `${run.error?.message}\n${run.log}`);
      assert.match(run.error.message, expected);
      const ref = { apiVersion: 'apps/v1', kind: 'Deployment', namespace: namespace.name, name: 'new' };
      assert.equal(await namespace.client.get(ref, soon()), undefined);
    });
  }

  it('is told of a namespace that is ending', async () => {
    const run = await deploy([workload('new')], { namespace: ending.name });
    assert.equal(run.error?.code, 'NAMESPACE_TERMINATING', `${run.error?.message}\n${run.log}`);
  });
});
