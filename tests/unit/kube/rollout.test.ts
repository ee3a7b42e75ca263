import assert from 'node:assert/strict';
import type { ContainerState, Pod } from 'kubernetes-types/core/v1.d.ts';
import type { KubeObject } from '../../../src/kube/objects/objects.ts';
import { podTrouble, waitingFor } from '../../../src/kube/objects/podState.ts';
import { newPods, selectorText, workloadState } from '../../../src/kube/objects/workloadState.ts';
import { restorable } from '../../../src/kube/plan/plan.ts';
import {
  deadlineProblem,
  passingRefusal,
  progressLine,
  terminalProblem,
  type View,
} from '../../../src/kube/rollout/rollout.ts';

function deployment(status: object, generation = 2): KubeObject {
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: {
      name: 'web',
      namespace: 'shop',
      uid: 'd',
      generation,
      annotations: { 'deployment.kubernetes.io/revision': '2' },
    },
    spec: { replicas: 2, template: template('2') },
    status: { observedGeneration: 2, ...status },
  };
}

function template(revision: string, labels: Record<string, string> = {}): object {
  return {
    metadata: { labels: { app: 'web', ...labels } },
    spec: { containers: [{ name: 'web', image: revision }] },
  };
}

function replicaSet(revision: string): KubeObject {
  return {
    apiVersion: 'apps/v1',
    kind: 'ReplicaSet',
    metadata: {
      name: `web-${revision}`,
      uid: `rs${revision}`,
      annotations: { 'deployment.kubernetes.io/revision': revision },
      ownerReferences: [{ apiVersion: 'apps/v1', kind: 'Deployment', name: 'web', uid: 'd' }],
    },
    spec: { template: template(revision, { 'pod-template-hash': `h${revision}` }) },
  };
}

function pod(
  revision: string,
  status: object,
  spec: object = { nodeName: 'n1', containers: [] },
): KubeObject {
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      name: `web-${revision}-x`,
      uid: `p${revision}`,
      ownerReferences: [
        { apiVersion: 'apps/v1', kind: 'ReplicaSet', name: `web-${revision}`, uid: `rs${revision}` },
      ],
    },
    spec,
    status,
  };
}

function container(state: ContainerState, more: object = {}): object {
  return {
    containerStatuses: [
      {
        name: 'app',
        image: 'r.example/app@sha256:0',
        imageID: '',
        ready: false,
        restartCount: 0,
        state,
        ...more,
      },
    ],
  };
}

function view(status: object, ...pods: KubeObject[]): View {
  return { workload: deployment(status), replicaSets: [replicaSet('1'), replicaSet('2')], pods };
}

const overQuota = 'pods "web-2-x" is forbidden: exceeded quota: small, requested: pods=1';

/** The status of a Deployment whose pods are not created. */
function refused(message: string): object {
  return { conditions: [{ type: 'ReplicaFailure', status: 'True', reason: 'FailedCreate', message }] };
}

const backOff = (message: string) => container({ waiting: { reason: 'ImagePullBackOff', message } });

describe('A Deployment is complete', () => {
  const full = { replicas: 2, updatedReplicas: 2, availableReplicas: 2 };

  it('when all its pods are new and available', () => {
    assert.equal(workloadState(deployment(full)).complete, true);
  });

  it('not before the controller has seen the newest template', () => {
    assert.equal(workloadState(deployment(full, 3)).complete, false);
  });

  it('not while an older pod is left', () => {
    assert.equal(workloadState(deployment({ ...full, replicas: 3 })).complete, false);
  });

  it('not while a new pod is unavailable', () => {
    assert.equal(workloadState(deployment({ ...full, availableReplicas: 1 })).complete, false);
  });
});

describe('A rollout ends early', () => {
  it("when the registry's answer says that the image is not there", () => {
    const message = 'Back-off pulling image: ErrImagePull: r.example/app:9: not found';
    const problem = terminalProblem(view({}, pod('2', backOff(message))));
    assert.equal(problem?.kind, 'image');
    assert.match(problem?.message ?? '', /cannot be pulled: .*not found/);
  });

  it('when a container crashes again after a restart', () => {
    const crashed = (restartCount: number) =>
      container(
        { waiting: { reason: 'CrashLoopBackOff' } },
        { restartCount, lastState: { terminated: { exitCode: 3, reason: 'Error' } } },
      );
    assert.equal(terminalProblem(view({}, pod('2', crashed(0)))), undefined);
    const problem = terminalProblem(view({}, pod('2', crashed(1))));
    assert.equal(problem?.kind, 'crash');
    assert.match(problem?.message ?? '', /'app' crashes with exit code 3/);
  });

  it('when a container needs more memory than it may have', () => {
    const status = container(
      { running: {} },
      { lastState: { terminated: { exitCode: 137, reason: 'OOMKilled' } } },
    );
    assert.equal(terminalProblem(view({}, pod('2', status)))?.kind, 'memory');
  });

  it('when a named secret is missing', () => {
    const status = container({
      waiting: { reason: 'CreateContainerConfigError', message: 'secret "s" not found' },
    });
    const problem = terminalProblem(view({}, pod('2', status)));
    assert.equal(problem?.kind, 'configuration');
    assert.match(problem?.message ?? '', /secret "s" not found/);
  });

  it('when the quota allows no more pods than wanted', () => {
    const problem = terminalProblem(view(refused(overQuota), pod('1', {}), pod('1', {})));
    assert.equal(problem?.kind, 'blocked');
    assert.match(problem?.message ?? '', /exceeded quota: small/);
  });

  it('when the workload is deleted', () => {
    assert.equal(terminalProblem({ workload: undefined, replicaSets: [], pods: [] })?.kind, 'deleted');
  });
});

describe('A rollout goes on', () => {
  it('while former pods end whose place in the quota the new ones will take', () => {
    const former = pod('1', {});
    const ending = { ...former, metadata: { ...former.metadata, deletionTimestamp: '2026-01-01T00:00:00Z' } };
    for (const pods of [[pod('1', {}), ending], [pod('1', {})]]) {
      const now = view(refused(overQuota), ...pods);
      assert.equal(terminalProblem(now), undefined);
      assert.equal(passingRefusal(now), overQuota);
    }
  });

  it('while an admission webhook does not answer, and not when it has denied', () => {
    const out = 'Internal error occurred: failed calling webhook "w.example": connection refused';
    assert.equal(terminalProblem(view(refused(out))), undefined);
    const denied = 'admission webhook "w.example" denied the request: no team label';
    assert.equal(terminalProblem(view(refused(denied)))?.kind, 'blocked');
  });

  it('while the registry only does not answer', () => {
    const message = 'ErrImagePull: dial tcp 10.0.0.1:443: i/o timeout';
    assert.equal(terminalProblem(view({}, pod('2', backOff(message)))), undefined);
  });

  it('whatever happens to pods of the former template', () => {
    assert.equal(terminalProblem(view({}, pod('1', backOff('not found')))), undefined);
  });

  it('while no node takes a pod, which is told when the time is over', () => {
    const message = '0/3 nodes are available: 3 Insufficient nvidia.com/gpu.';
    const conditions = [{ type: 'PodScheduled', status: 'False', reason: 'Unschedulable', message }];
    const waiting = view({}, pod('2', { conditions }, { containers: [] }));
    assert.equal(terminalProblem(waiting), undefined);
    const problem = deadlineProblem(waiting, 30);
    assert.equal(problem.kind, 'scheduling');
    assert.match(problem.message, /within 30 s: no node takes the pod: .*nvidia/);
  });
});

describe('What people read of a rollout', () => {
  it('counts new pods and says what each waits for', () => {
    const ready = { conditions: [{ type: 'Ready', status: 'True' }] };
    const seen = view({}, pod('1', ready), pod('2', container({ waiting: { reason: 'ContainerCreating' } })));
    assert.equal(
      progressLine(seen),
      '0 of 2 new pods ready, 1 older still serving (1 pulling the image and starting)',
    );
  });

  it('names a pod that runs and is not ready when the time is over', () => {
    const problem = deadlineProblem(view({}, pod('2', container({ running: {} }))), 60);
    assert.equal(problem.kind, 'deadline');
    assert.match(problem.message, /within 60 s: web-2-x is running, not ready yet/);
  });

  it('names the node that gives no sign of a pod', () => {
    const problem = deadlineProblem(view({}, pod('2', { phase: 'Pending' })), 60);
    assert.match(problem.message, /web-2-x is not taken up yet by node 'n1'/);
  });

  it('is nothing for a pod that is ready', () => {
    const ready = pod('2', { conditions: [{ type: 'Ready', status: 'True' }] }) as Pod;
    assert.equal(waitingFor(ready), undefined);
    assert.equal(podTrouble(ready), undefined);
  });
});

describe('The new pods of a Deployment', () => {
  it('are not those of the former template while the Deployment still tells its revision', () => {
    const back = { ...deployment({ updatedReplicas: 0 }), spec: { replicas: 2, template: template('1') } };
    const pods = [pod('1', {}), pod('2', {})];
    const found = newPods(back, [replicaSet('1'), replicaSet('2')], pods);
    assert.deepEqual(
      found.map((one) => one.metadata?.uid),
      ['p1'],
    );
  });

  it('are not those that end, however ready they still say they are', () => {
    const one = pod('2', { conditions: [{ type: 'Ready', status: 'True' }] });
    const ending = { ...one, metadata: { ...one.metadata, deletionTimestamp: '2026-01-01T00:00:00Z' } };
    const found = newPods(deployment({}), [replicaSet('1'), replicaSet('2')], [ending]);
    assert.deepEqual(found, []);
  });
});

describe('A snapshot', () => {
  const live = {
    ...deployment({ replicas: 2 }),
    spec: { replicas: 7, template: { spec: { containers: [] } } },
  };

  it("keeps the specification and drops what is the server's", () => {
    const snapshot = restorable(live, { ...live, spec: { replicas: 3 } });
    assert.deepEqual(snapshot, {
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      metadata: { name: 'web', namespace: 'shop', annotations: {} },
      spec: { replicas: 7, template: { spec: { containers: [] } } },
    });
  });

  it("leaves an autoscaler's number of replicas alone", () => {
    const snapshot = restorable(live, { ...live, spec: {} });
    assert.deepEqual(snapshot['spec'], { template: { spec: { containers: [] } } });
  });
});

describe('A label selector', () => {
  it('is written as a list request takes it', () => {
    const text = selectorText({
      matchLabels: { app: 'web' },
      matchExpressions: [
        { key: 'tier', operator: 'In', values: ['a', 'b'] },
        { key: 'old', operator: 'DoesNotExist' },
      ],
    });
    assert.equal(text, 'app=web,tier in (a,b),!old');
  });
});
