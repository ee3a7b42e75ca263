import assert from 'node:assert/strict';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { request } from 'undici';
import { DeliveryError } from '../../src/errors.ts';
import { watchUntil } from '../../src/kube/api/watchUntil.ts';
import type { KubeObject } from '../../src/kube/objects/objects.ts';
import { restorable } from '../../src/kube/plan/plan.ts';
import { type Run, soon, whileUsersAsk } from '../support/deployment.ts';
import { withFolder } from '../support/folder.ts';
import { releases, succeeded } from '../support/releases.ts';

const images = [
  { tag: '10', modelVersion: 'v1', created: '2026-01-01T00:00:00Z' },
  { tag: '9', modelVersion: 'v2', created: '2026-01-02T00:00:00Z' },
  { tag: '3-crash', modelVersion: 'v3', created: '2026-01-03T00:00:00Z', behaviour: 'crash' },
  { tag: '4-unready', modelVersion: 'v4', created: '2026-01-04T00:00:00Z', behaviour: 'unready' },
  { tag: '5-broken', modelVersion: 'v5', created: '2026-01-05T00:00:00Z', behaviour: 'broken' },
  { tag: 'model-0123456789ab', modelVersion: 'v6', created: '2026-12-31T00:00:00Z' },
] as const;

describe('DeployToAks on a real cluster', function () {
  this.timeout(180_000);
  // About one run in thirty meets a connection that the node's network leaves without an answer for seconds.
  this.retries(1);
  const at = releases('web', images, { appName: 'web', readinessPath: '/healthz' });
  const pipeline = { 'Build.DefinitionName': 'nightly', 'Build.BuildNumber': '20260105.1' };

  const reference = (index: number): string => `${at.registry.host}/${at.repository}@${at.digests[index]}`;

  const deploy = (
    inputs: Record<string, string>,
    more: { signal?: AbortSignal; workingFolder?: string } = {},
  ) => at.deploy(inputs, { variables: pipeline, ...more });

  const deployment = async (name = 'web'): Promise<KubeObject> => {
    const ref = { apiVersion: 'apps/v1', kind: 'Deployment', namespace: at.namespace.name, name };
    const found = await at.namespace.client.get(ref, soon());
    assert.ok(found, `Deployment ${name} exists`);
    return found;
  };

  /** Waits until the pods of former rollouts have ended, and with them the answers of former versions. */
  const settled = async (): Promise<void> => {
    const pods = { apiVersion: 'v1', kind: 'Pod', namespace: at.namespace.name };
    const labelSelector = 'app.kubernetes.io/name=web';
    const { answer } = await watchUntil(
      at.namespace.client,
      [{ ...pods, labelSelector }],
      { timeoutMs: 60_000, signal: soon() },
      ([found]) => found?.length === 2 || undefined,
    );
    assert.ok(answer, 'the former pods have ended');
  };

  const failed = (run: Run, code: string): Run => {
    assert.equal(run.error?.code, code, `${run.error?.message}\n${run.log}`);
    for (const secret of [at.registry.password, ...run.said.secrets]) {
      const everything = [
        run.log,
        run.error.message,
        run.error.remedy,
        ...run.said.attachments.values(),
      ].join('\n');
      assert.ok(!everything.includes(secret), 'a secret was printed');
    }
    return run;
  };

  describe('a generated application', () => {
    it('answers through the load balancer, by the digest of the newest image and with its trace', async () => {
      const run = succeeded(await deploy({ tagFilter: '^10$', probePath: 'score' }));
      const { outputs, attachments, summaries } = run.said;
      assert.equal(outputs.get('deployedImage'), reference(0));
      assert.equal(outputs.get('deployedModelVersion'), 'v1');
      assert.equal(outputs.get('changed'), 'true');
      assert.equal(outputs.get('rolledBack'), 'false');
      assert.equal(outputs.get('revision'), '1');
      const answer = await request(outputs.get('endpointUrl') ?? '');
      assert.equal((await answer.body.text()).trim(), 'v1');
      assert.ok(outputs.get('endpointUrl')?.includes(outputs.get('externalAddress') ?? 'no address'));
      const live = await deployment();
      assert.equal(live.metadata.annotations?.['model-delivery/model-version'], 'v1');
      assert.equal(live.metadata.annotations?.['model-delivery/commit'], 'commit-of-10');
      assert.match(
        live.metadata.annotations?.['kubernetes.io/change-cause'] ?? '',
        /sentiment v1 by nightly 20260105\.1/,
      );
      const document = JSON.parse(attachments.get('web') ?? '{}') as Record<string, unknown>;
      assert.equal(document['readyReplicas'], 2);
      assert.equal(document['image'], reference(0));
      assert.match([...summaries.values()].join(''), /deployed/);
    });

    it('is left alone by a second run, which says so with few requests', async () => {
      const before = await deployment();
      const run = succeeded(await deploy({ tagFilter: '^10$', probePath: '/score' }));
      assert.equal(run.said.outputs.get('changed'), 'false');
      assert.equal(run.said.outputs.get('revision'), '1');
      assert.match(run.log, /Nothing to do/);
      const requests = Number(/with (\d+) requests/.exec(run.log)?.[1]);
      assert.ok(requests <= 4, `${requests} requests`);
      assert.equal((await deployment()).metadata.resourceVersion, before.metadata.resourceVersion);
    });

    it('rolls to the image that was made last, whatever its tag says, and no user notices', async () => {
      const url = (await deploy({ tagFilter: '^10$' })).said.outputs.get('endpointUrl') ?? '';
      const { result, seen } = await whileUsersAsk(url, () => deploy({ tagFilter: '^[0-9]+$' }));
      succeeded(result);
      assert.equal(result.said.outputs.get('deployedImage'), reference(1));
      assert.equal(result.said.outputs.get('changed'), 'true');
      assert.equal(result.said.outputs.get('revision'), '2');
      assert.match(result.log, /Chosen: 9, because it was made last/);
      assert.deepEqual(seen.failures, []);
      assert.ok((seen.answers.get('v1') ?? 0) > 0);
    });

    it('stays at the highest number when the policy is to sort by the tag', async () => {
      const run = succeeded(await deploy({ tagFilter: '^(\\d+)$', imagePolicy: 'regex' }));
      assert.equal(run.said.outputs.get('deployedImage'), reference(0));
      succeeded(await deploy({ tagFilter: '^(\\d+)$' }));
    });
  });

  describe('a bad image', () => {
    it('that crashes is explained by its last log lines, and the version before keeps answering', async () => {
      const before = succeeded(await deploy({ tagFilter: '^9$' }));
      const url = before.said.outputs.get('endpointUrl') ?? '';
      await settled();
      const { result, seen } = await whileUsersAsk(url, () => deploy({ tagFilter: 'crash' }));
      failed(result, 'ROLLOUT_CRASH');
      assert.match(result.error?.message ?? '', /'web' crashes with exit code 3/);
      assert.match(result.log, /fatal: the model file is corrupt/);
      assert.ok(
        !result.log.includes('##vso[task.setvariable'),
        'a command from the container reached the log',
      );
      assert.equal(result.said.outputs.get('rolledBack'), 'true');
      assert.deepEqual(seen.failures, []);
      assert.deepEqual([...seen.answers.keys()], ['v2']);
      const again = succeeded(await deploy({ tagFilter: '^9$' }));
      assert.equal(again.said.outputs.get('changed'), 'false', again.log);
    });

    it('that never becomes ready ends at the deadline with what it waits for', async () => {
      const run = failed(await deploy({ tagFilter: 'unready', rolloutTimeout: '8' }), 'ROLLOUT_TIMEOUT');
      assert.match(run.error?.message ?? '', /not ready within 8 s/);
      assert.match(run.log, /Readiness probe failed/);
      assert.equal(run.said.outputs.get('rolledBack'), 'true');
    });

    it('whose pods are ready and whose answers are wrong is taken back after the probe', async () => {
      const run = failed(
        await deploy({ tagFilter: 'broken', probePath: '/score', probeTimeout: '3' }),
        'PROBE_FAILED',
      );
      assert.match(run.error?.message ?? '', /status 500: no prediction today/);
      assert.equal(run.said.outputs.get('rolledBack'), 'true');
      await settled();
      const url = succeeded(await deploy({ tagFilter: '^9$' })).said.outputs.get('endpointUrl') ?? '';
      assert.equal((await (await request(url)).body.text()).trim(), 'v2');
    });

    it('that the nodes cannot pull ends early with the answer of the registry', async () => {
      const image = `${at.registry.host}/${at.repository}@sha256:${'0'.repeat(64)}`;
      const run = failed(
        await deploy({ image, containerRegistry: '', repository: '', createPullSecret: 'false' }),
        'ROLLOUT_IMAGE_PULL',
      );
      assert.match(run.error?.message ?? '', /cannot be pulled/);
      assert.equal(run.said.outputs.get('rolledBack'), 'true');
    });

    it('that is unknown to the registry is refused with the nearest tags before anything changes', async () => {
      const run = failed(
        await deploy({ image: `${at.registry.host}/${at.repository}:9-crash`, repository: '' }),
        'IMAGE_NOT_FOUND',
      );
      assert.match(run.error?.remedy ?? '', /3-crash/);
      assert.equal(run.said.outputs.get('changed'), undefined);
    });

    it('in a first deployment leaves nothing to restore, and that is said', async () => {
      const run = failed(await deploy({ appName: 'first', tagFilter: 'crash' }), 'ROLLOUT_CRASH');
      assert.match(run.log, /Nothing to restore/);
      assert.equal(run.said.outputs.get('rolledBack'), 'false');
    });

    it('in a first deployment leaves nothing at all when that is asked for', async () => {
      const inputs = { appName: 'gone', tagFilter: 'crash', removeOnFailure: 'true' };
      const run = failed(await deploy(inputs), 'ROLLOUT_CRASH');
      assert.equal(run.said.outputs.get('rolledBack'), 'true');
      assert.match(run.log, /Removed Deployment 'gone'/);
      const place = { namespace: at.namespace.name, name: 'gone' };
      for (const ref of [
        { apiVersion: 'apps/v1', kind: 'Deployment', ...place },
        { apiVersion: 'v1', kind: 'Service', ...place },
      ]) {
        assert.equal(await at.namespace.client.get(ref, soon()), undefined, ref.kind);
      }
      assert.doesNotMatch(run.log, /Removed Secret/, 'the pull secret was there before');
    });

    it('that another release replaces meanwhile is not brought back over it', async () => {
      succeeded(await deploy({ tagFilter: '^9$' }));
      const snapshot = await deployment();
      const first = deploy({ tagFilter: 'unready' });
      await sleep(2500);
      // A release by another way, which knows no lease.
      const other = restorable(snapshot, snapshot);
      await at.namespace.client.apply(other, { dryRun: false, force: true }, soon());
      const run = failed(await first, 'ROLLOUT_SUPERSEDED');
      assert.equal(run.said.outputs.get('rolledBack'), 'false');
      const again = succeeded(await deploy({ tagFilter: '^9$' }));
      assert.equal(again.said.outputs.get('changed'), 'false', again.log);
    });

    it('is brought back before a second release, which waits for it or fails as asked', async () => {
      const first = deploy({ tagFilter: 'unready', rolloutTimeout: '8' });
      await sleep(1500);
      const second = deploy({ tagFilter: '^10$' });
      const third = failed(await deploy({ tagFilter: '^10$', concurrency: 'fail' }), 'RELEASE_IN_PROGRESS');
      assert.match(third.error?.message ?? '', /by nightly 20260105\.1/);
      assert.equal(failed(await first, 'ROLLOUT_TIMEOUT').said.outputs.get('rolledBack'), 'true');
      const run = succeeded(await second);
      assert.match(run.log, /Another release is under way/);
      assert.equal(run.said.outputs.get('deployedImage'), reference(0));
      succeeded(await deploy({ tagFilter: '^9$' }));
    });

    it('of a run that was killed keeps nobody out for long', async () => {
      const place = { name: 'model-delivery-web', namespace: at.namespace.name };
      const ref = { apiVersion: 'coordination.k8s.io/v1', kind: 'Lease', ...place };
      const lease = await at.namespace.client.get(ref, soon());
      assert.ok(lease);
      await at.namespace.client.update(
        { ...lease, spec: { holderIdentity: 'a killed run', leaseDurationSeconds: 3 } },
        soon(),
      );
      const run = succeeded(await deploy({ tagFilter: '^10$' }));
      assert.match(run.log, /a killed run has not renewed/);
      succeeded(await deploy({ tagFilter: '^9$' }));
    });

    it('is taken back when the task is cancelled', async () => {
      const controller = new AbortController();
      const cancellation = new DeliveryError({
        code: 'CANCELLED',
        side: 'agent',
        message: 'The task was cancelled.',
        remedy: 'Run it again.',
      });
      setTimeout(() => controller.abort(cancellation), 2000);
      const run = deploy({ tagFilter: 'unready' }, { signal: controller.signal });
      const cancelled = failed(await run, 'CANCELLED');
      assert.equal(cancelled.said.outputs.get('rolledBack'), 'true');
      const again = succeeded(await deploy({ tagFilter: '^9$' }));
      assert.equal(again.said.outputs.get('changed'), 'false', again.log);
    });
  });

  describe("the user's manifests", () => {
    const manifest = (image: string): string => `
apiVersion: v1
kind: ConfigMap
metadata: { name: settings }
data: { greeting: hello }
---
apiVersion: apps/v1
kind: StatefulSet
metadata: { name: own }
spec:
  serviceName: own
  replicas: 1
  selector: { matchLabels: { app: own } }
  template:
    metadata: { labels: { app: own } }
    spec:
      terminationGracePeriodSeconds: 0
      containers:
        - name: own
          image: ${image}
          envFrom: [{ configMapRef: { name: settings } }]
---
apiVersion: v1
kind: Service
metadata: { name: own }
spec:
  selector: { app: own }
  ports: [{ port: 80, targetPort: 8080 }]
`;

    const withManifest = (text: string, use: (folder: string) => Promise<void>): Promise<void> =>
      withFolder(async (folder) => {
        await mkdir(join(folder, 'k8s'));
        await writeFile(join(folder, 'k8s/own.yaml'), text);
        await use(folder);
      });

    it('are applied in order with the image pinned, and rolled to the next version', async () => {
      await withManifest(manifest(at.repository), async (folder) => {
        const inputs = { manifests: 'k8s/*.yaml', appName: '' };
        const run = succeeded(await deploy({ ...inputs, tagFilter: '^10$' }, { workingFolder: folder }));
        assert.equal(run.said.outputs.get('deployedImage'), reference(0));
        assert.equal(run.said.outputs.get('endpointUrl'), '');
        const next = succeeded(await deploy({ ...inputs, tagFilter: '^9$' }, { workingFolder: folder }));
        assert.match(next.log, /leave ConfigMap 'settings'/);
        assert.match(next.log, /update StatefulSet 'own'/);
        const same = succeeded(await deploy({ ...inputs, tagFilter: '^9$' }, { workingFolder: folder }));
        assert.equal(same.said.outputs.get('changed'), 'false', same.log);
      });
    });

    it('with an unknown field are refused with file, document and field before anything changes', async () => {
      const wrong = manifest(at.repository)
        .replace('greeting', 'farewell')
        .replace('serviceName:', 'servceName:');
      await withManifest(wrong, async (folder) => {
        const run = failed(
          await deploy({ manifests: 'k8s', appName: '', tagFilter: '^10$' }, { workingFolder: folder }),
          'MANIFEST_INVALID',
        );
        assert.match(run.error?.message ?? '', /k8s\/own\.yaml, document 2 .*servceName/);
        const ref = { apiVersion: 'v1', kind: 'ConfigMap', namespace: at.namespace.name, name: 'settings' };
        const settings = await at.namespace.client.get(ref, soon());
        assert.deepEqual(settings?.['data'], { greeting: 'hello' });
      });
    });

    it('of an unknown kind are refused with the nearest kinds', async () => {
      await withManifest(
        manifest(at.repository).replace('kind: StatefulSet', 'kind: StatefullSet'),
        async (folder) => {
          const run = failed(
            await deploy({ manifests: 'k8s', appName: '', tagFilter: '^10$' }, { workingFolder: folder }),
            'KIND_UNKNOWN',
          );
          assert.match(run.error?.remedy ?? '', /StatefulSet/);
        },
      );
    });

    it('whose fields another tool manages are refused, unless they are to be taken over', async () => {
      await withManifest(manifest(at.repository), async (folder) => {
        const path = `/api/v1/namespaces/${at.namespace.name}/configmaps/settings`;
        await at.namespace.transport.json({
          call: { verb: 'patch', what: 'the ConfigMap' },
          method: 'PATCH',
          path,
          query: { fieldManager: 'somebody' },
          contentType: 'application/merge-patch+json',
          body: { data: { greeting: 'goodbye' } },
          signal: soon(),
        });
        const inputs = { manifests: 'k8s', appName: '', tagFilter: '^9$' };
        const run = failed(await deploy(inputs, { workingFolder: folder }), 'APPLY_CONFLICT');
        assert.match(run.error?.message ?? '', /\.data\.greeting \(conflict with "somebody"/);
        const forced = await deploy({ ...inputs, forceConflicts: 'true' }, { workingFolder: folder });
        assert.equal(succeeded(forced).said.outputs.get('changed'), 'true');
      });
    });
  });

  describe('the namespace', () => {
    it('that is missing is refused, unless it is to be created', async () => {
      const name = `${at.namespace.name}-new`;
      const run = failed(await deploy({ namespace: name, tagFilter: '^10$' }), 'NAMESPACE_NOT_FOUND');
      assert.match(run.error?.message ?? '', new RegExp(name));
      const inputs = {
        namespace: name,
        tagFilter: '^10$',
        createNamespace: 'true',
        serviceType: 'ClusterIP',
      };
      succeeded(await deploy(inputs));
      const call = { verb: 'delete', what: 'the namespace' };
      const path = `/api/v1/namespaces/${name}`;
      await at.namespace.transport.json({ call, method: 'DELETE', path, signal: soon() });
    });
  });
});
