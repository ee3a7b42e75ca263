import assert from 'node:assert/strict';
import type { Pod } from 'kubernetes-types/core/v1.d.ts';
import { watchUntil } from '../../src/kube/api/watchUntil.ts';
import { unschedulable } from '../../src/kube/rollout/noNode.ts';
import { type Run, soon } from '../support/deployment.ts';
import { releases } from '../support/releases.ts';

describe('DeployToAks, where no node takes a pod', function () {
  this.timeout(120_000);
  const at = releases('nonode', [{ tag: '1', modelVersion: 'v1', created: '2026-01-01T00:00:00Z' }]);

  /** Says of a pod that the scheduler has refused what the autoscaler would say, which cannot run here. */
  const autoscalerSays = async (appName: string, reason: string, message: string): Promise<void> => {
    const { client, name: namespace } = at.namespace;
    const labelSelector = `app.kubernetes.io/name=${appName}`;
    const { answer: pod } = await watchUntil(
      client,
      [{ apiVersion: 'v1', kind: 'Pod', namespace, labelSelector }],
      { timeoutMs: 60_000, signal: soon() },
      ([pods]) => pods?.find((one) => unschedulable(one as Pod) !== undefined),
    );
    assert.ok(pod);
    const { name, uid } = pod.metadata;
    const time = new Date().toISOString();
    await client.create(
      {
        ...{ apiVersion: 'v1', kind: 'Event', metadata: { name: `${name}.autoscaler`, namespace } },
        involvedObject: { apiVersion: 'v1', kind: 'Pod', namespace, name, uid },
        ...{ type: 'Normal', reason, message, source: { component: 'cluster-autoscaler' } },
        ...{ firstTimestamp: time, lastTimestamp: time, count: 1 },
      },
      soon(),
    );
  };

  const deploy = async (appName: string, inputs: Record<string, string>, said: string[]): Promise<Run> => {
    const [reason = '', message = ''] = said;
    const [run] = await Promise.all([
      at.deploy({ appName, serviceType: 'ClusterIP', replicas: '1', ...inputs }),
      autoscalerSays(appName, reason, message),
    ]);
    return run;
  };

  it('ends at once when the autoscaler has none to add, and says what the pod asks for', async () => {
    const refusal = ['NotTriggerScaleUp', "pod didn't trigger scale-up: 1 Insufficient memory"];
    const run = await deploy('huge', { memoryRequest: '900Ti', rolloutTimeout: '100' }, refusal);
    assert.equal(run.error?.code, 'ROLLOUT_UNSCHEDULABLE', run.log);
    assert.match(run.error?.message ?? '', /the autoscaler has none to add: 0\/1 nodes.*Insufficient memory/);
  });

  it('waits for a node that is being added, as long as there is time', async () => {
    const promise = ['TriggeredScaleUp', 'pod triggered scale-up: [{gpu 0->1 (max: 3)}]'];
    const run = await deploy('gpu', { gpuCount: '1', rolloutTimeout: '9' }, promise);
    assert.equal(run.error?.code, 'ROLLOUT_UNSCHEDULABLE', run.log);
    assert.match(run.error?.message ?? '', /not ready within 9 s: no node takes the pod: .*nvidia\.com\/gpu/);
    assert.match(run.log, /a node is being added for its pods/);
  });
});
