import assert from 'node:assert/strict';
import type { Pod } from 'kubernetes-types/core/v1.d.ts';
import type { KubeObject } from '../../../src/kube/objects/objects.ts';
import { largestOf, quantity } from '../../../src/kube/objects/quantities.ts';
import { isRefusedForGood, scaleUpOf } from '../../../src/kube/rollout/noNode.ts';

function pod(reasons: string, requests: Record<string, string> = {}): Pod {
  const message = `0/3 nodes are available: ${reasons}. no new claims to deallocate, preemption: 0/3 nodes are available: 3 Preemption is not helpful for scheduling.`;
  return {
    spec: { containers: [{ name: 'web', image: 'web', resources: { requests } }] },
    status: { conditions: [{ type: 'PodScheduled', status: 'False', reason: 'Unschedulable', message }] },
  };
}

const nodes = largestOf([
  { cpu: '4', memory: '16Gi' },
  { cpu: '3800m', memory: '32Gi', 'nvidia.com/gpu': '1' },
]);

function event(reason: string, message: string, minute: number): KubeObject {
  const at = `2026-01-01T00:0${minute}:00Z`;
  return { apiVersion: 'v1', kind: 'Event', metadata: { name: reason }, reason, message, lastTimestamp: at };
}

describe('No node will ever take a pod', () => {
  const forGood: readonly (readonly [string, Record<string, string>])[] = [
    ["3 node(s) didn't match Pod's node affinity/selector", {}],
    ['3 node(s) had untolerated taint {sku: gpu}', {}],
    ["1 node(s) had untolerated taint {a: b,c}, 2 node(s) didn't match Pod's node affinity/selector", {}],
    ['3 Insufficient memory', { memory: '33Gi' }],
    ['3 Insufficient nvidia.com/gpu', { 'nvidia.com/gpu': '2' }],
  ];
  for (const [reasons, requests] of forGood) {
    it(`when the scheduler says: ${reasons}`, () => {
      assert.equal(isRefusedForGood(pod(reasons, requests), nodes), true);
    });
  }

  const forNow: readonly (readonly [string, Record<string, string>])[] = [
    ['3 Insufficient cpu', { cpu: '4' }],
    ['3 Insufficient nvidia.com/gpu', { 'nvidia.com/gpu': '1' }],
    ['3 node(s) had untolerated taint {node.kubernetes.io/not-ready: }', {}],
    ['3 Too many pods', {}],
    ["2 node(s) didn't match Pod's node affinity/selector, 1 Insufficient cpu", { cpu: '1' }],
  ];
  for (const [reasons, requests] of forNow) {
    it(`is not said while it may change: ${reasons}`, () => {
      assert.equal(isRefusedForGood(pod(reasons, requests), nodes), false);
    });
  }

  it('is not said of resources where nodes may not be listed', () => {
    assert.equal(isRefusedForGood(pod('3 Insufficient memory', { memory: '33Gi' }), undefined), false);
  });
});

describe("An autoscaler's word for a pod", () => {
  const triggered = event('TriggeredScaleUp', 'pod triggered scale-up: [{pool 0->1 (max: 2)}]', 2);
  const refused = "pod didn't trigger scale-up: ";

  it('is the last one', () => {
    const earlier = event('NotTriggerScaleUp', `${refused}2 max node group size reached`, 1);
    assert.equal(scaleUpOf([triggered, earlier]), 'coming');
    assert.equal(scaleUpOf([event('Nominated', 'Pod should schedule on: nodeclaim/gpu', 1)]), 'coming');
    assert.equal(scaleUpOf([]), 'silent');
  });

  it('is a refusal only where no node that it could add would take the pod', () => {
    const said = (reasons: string): string =>
      scaleUpOf([event('NotTriggerScaleUp', refused + reasons, 3), triggered]);
    assert.equal(
      said("1 Insufficient memory, 1 node(s) didn't match Pod's node affinity/selector"),
      'refused',
    );
    assert.equal(said('1 in backoff after failed scale-up'), 'undecided');
    assert.equal(said('1 Insufficient memory, 1 max node group size reached'), 'undecided');
    assert.equal(said(''), 'undecided');
  });
});

describe('A quantity', () => {
  it('is read as Kubernetes writes it', () => {
    assert.deepEqual(['500m', '2', '1.5Gi', '3k', '1e3'].map(quantity), [0.5, 2, 1.5 * 2 ** 30, 3000, 1000]);
  });
});
