import assert from 'node:assert/strict';
import type { KubeObject } from '../../../src/kube/objects/objects.ts';
import { sharedCollections } from '../../../src/kube/rollout/rollouts.ts';

function workload(kind: string, name: string, namespace: string): KubeObject {
  const spec = { selector: { matchLabels: { app: name } } };
  return { apiVersion: 'apps/v1', kind, metadata: { name, namespace }, spec };
}

function inWords(workloads: readonly KubeObject[]): string[] {
  return sharedCollections(workloads).map(({ namespace, kind, labelSelector, fieldSelector }) =>
    [namespace, kind, labelSelector ?? fieldSelector ?? 'all'].join(' '),
  );
}

describe('What is watched of rollouts', () => {
  it('is only its own objects of one that is alone in its namespace', () => {
    assert.deepEqual(inWords([workload('Deployment', 'web', 'shop')]), [
      'shop Deployment metadata.name=web',
      'shop Pod app=web',
      'shop ReplicaSet app=web',
    ]);
  });

  it('is each kind once a namespace for several', () => {
    const many = Array.from({ length: 1000 }, (_, at) => workload('Deployment', `web-${at}`, 'shop'));
    const sets = [workload('StatefulSet', 'store', 'shop'), workload('DaemonSet', 'agent', 'system')];
    assert.deepEqual(inWords([...many, ...sets]), [
      'shop Deployment all',
      'shop Pod all',
      'shop ReplicaSet all',
      'shop StatefulSet all',
      'system DaemonSet metadata.name=agent',
      'system Pod app=agent',
    ]);
  });
});
