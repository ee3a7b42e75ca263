import assert from 'node:assert/strict';
import { generate } from '../../../src/kube/manifests/generate.ts';
import { volumeProblem, withModelVolume } from '../../../src/kube/manifests/modelVolume.ts';
import { podTemplate } from '../../../src/kube/objects/workload.ts';

function nodes(...runtimes: string[]) {
  return runtimes.map((containerRuntimeVersion, index) => ({
    apiVersion: 'v1',
    kind: 'Node',
    metadata: { name: `node-${index}` },
    status: { nodeInfo: { containerRuntimeVersion } },
  }));
}

describe('A model volume', () => {
  it('needs Kubernetes 1.35', () => {
    const current = nodes('containerd://2.2.0');
    assert.match(volumeProblem('v1.34.9', current)?.message ?? '', /runs Kubernetes v1\.34\.9/);
    assert.equal(volumeProblem('v1.35.0-aks', current), undefined);
    assert.equal(volumeProblem('v2.0.0', nodes('containerd://v3.0.0')), undefined);
  });

  it('needs containerd 2.2 on every node that runs containerd, since 2.1 ignores the folder', () => {
    const mixed = nodes('containerd://2.2.1', 'containerd://2.1.6', 'containerd://1.7.30-1');
    const problem = volumeProblem('v1.36.3', mixed);
    assert.equal(problem?.code, 'IMAGE_VOLUME_UNSUPPORTED');
    assert.match(problem.message, /node-1 \(containerd 2\.1\.6\), node-2 \(containerd 1\.7\.30-1\)/);
    assert.equal(volumeProblem('v1.36.3', nodes('cri-o://1.35.0')), undefined);
  });

  it('is mounted read-only where the image runs, and nowhere else', () => {
    const service = { type: 'ClusterIP', port: 80 } as const;
    const more = { nonRoot: 'auto', isSpread: false, hasBudget: false } as const;
    const application = { name: 'web', replicas: 1, port: 80, service, requests: {}, limits: {}, ...more };
    const [manifest] = generate(application, { reference: 'r/app@sha256:1' });
    assert.ok(manifest);
    const volume = { reference: 'r/app@sha256:2', path: '/app/model' };
    const spec = podTemplate(withModelVolume(manifest.object, 'r/app@sha256:1', volume))?.spec;
    assert.deepEqual(spec?.containers[0]?.volumeMounts, [
      { name: 'model-delivery-model', mountPath: '/app/model', subPath: 'app/model', readOnly: true },
    ]);
    assert.deepEqual(spec.volumes, [
      { name: 'model-delivery-model', image: { reference: 'r/app@sha256:2', pullPolicy: 'IfNotPresent' } },
    ]);
    const other = podTemplate(withModelVolume(manifest.object, 'r/other@sha256:1', volume))?.spec;
    assert.equal(other?.containers[0]?.volumeMounts, undefined);
  });
});
