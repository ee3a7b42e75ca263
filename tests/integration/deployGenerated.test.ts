import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import { soon } from '../support/deployment.ts';
import { releases, succeeded } from '../support/releases.ts';

describe('DeployToAks with generated objects', function () {
  this.timeout(60_000);
  // No pod runs: what is asked for is what counts here.
  const at = releases(
    'generated',
    [
      { tag: 'fits', modelVersion: 'v1', created: '2026-01-01T00:00:00Z' },
      { tag: 'mainframe', modelVersion: 'v1', created: '2026-01-02T00:00:00Z', architecture: 's390x' },
    ],
    { appName: 'web', replicas: '0', tagFilter: '^fits$' },
  );
  const { deploy, find } = at;

  it("names the address by Azure's DNS label in the nodes' region", async () => {
    const nodes = await at.namespace.client.list({ apiVersion: 'v1', kind: 'Node', namespace: '' }, soon());
    await at.namespace.transport.json({
      call: { verb: 'patch', what: 'the node' },
      method: 'PATCH',
      path: `/api/v1/nodes/${nodes.items[0]?.metadata.name}`,
      contentType: 'application/merge-patch+json',
      body: { metadata: { labels: { 'topology.kubernetes.io/region': 'westeurope' } } },
      signal: soon(),
    });
    const run = succeeded(await deploy({ dnsLabel: 'shop' }));
    assert.equal(run.said.outputs.get('endpointUrl'), 'http://shop.westeurope.cloudapp.azure.com');
    assert.match(run.said.outputs.get('externalAddress') ?? '', /^[\d.]+$/);
  });

  it('makes all that is asked for, and a second run has nothing to do', async () => {
    const inputs = {
      ...{ serviceType: 'ClusterIP', livenessPath: 'alive', startupTime: '600', cpuRequest: '250m' },
      ...{ gpuCount: '1', spreadPods: 'true', disruptionBudget: 'true', maxReplicas: '5' },
      ...{ route: 'ingress', routeHost: 'shop.example.com', tlsSecret: 'shop-tls', ingressClass: 'public' },
    };
    const run = succeeded(await deploy(inputs));
    assert.equal(run.said.outputs.get('endpointUrl'), 'https://shop.example.com');
    for (const [apiVersion, kind] of [
      ['autoscaling/v2', 'HorizontalPodAutoscaler'],
      ['policy/v1', 'PodDisruptionBudget'],
      ['networking.k8s.io/v1', 'Ingress'],
    ] as const) {
      assert.ok(await find(apiVersion, kind), kind);
    }
    const pods = JSON.stringify(await find('apps/v1', 'Deployment'));
    for (const part of [
      '"nvidia.com/gpu":"1"',
      '"runAsNonRoot":true',
      '"failureThreshold":120',
      '"ScheduleAnyway"',
    ]) {
      assert.ok(pods.includes(part), part);
    }
    const again = succeeded(await deploy(inputs));
    assert.equal(again.said.outputs.get('changed'), 'false', again.log);
  });

  it('are not called good while their probe has no address to be sent to', async () => {
    const inputs = { ...{ appName: 'routed', serviceType: 'ClusterIP', route: 'ingress' }, probePath: '/' };
    const none = await deploy({ ...inputs, addressTimeout: '1' });
    assert.equal(none.error?.code, 'ADDRESS_TIMEOUT', none.log);
    assert.match(none.error.message, /Ingress 'routed'.* got no load-balancer address within 1 s/);
    const later = deploy({ ...inputs, addressTimeout: '30', probeTimeout: '1' });
    // What a controller does: it writes the status when its own Service has an address.
    while ((await find('networking.k8s.io/v1', 'Ingress', 'routed')) === undefined) await sleep(20);
    await at.namespace.transport.json({
      call: { verb: 'patch', what: 'the Ingress' },
      method: 'PATCH',
      path: `/apis/networking.k8s.io/v1/namespaces/${at.namespace.name}/ingresses/routed/status`,
      contentType: 'application/merge-patch+json',
      body: { status: { loadBalancer: { ingress: [{ ip: '127.0.0.7' }] } } },
      signal: soon(),
    });
    const run = await later;
    assert.equal(run.error?.code, 'PROBE_FAILED', run.log);
    assert.match(run.log, /Address: http:\/\/127\.0\.0\.7/);
  });

  it('for a Gateway are refused where the cluster has none, before anything changes', async () => {
    const run = await deploy({ appName: 'other', route: 'gateway', gateway: 'public' });
    assert.equal(run.error?.code, 'KIND_UNKNOWN');
    assert.match(run.error.remedy, /Install the custom resource definition/);
    assert.equal(await find('apps/v1', 'Deployment', 'other'), undefined);
  });

  it('of an image that no node can run are refused before anything changes', async () => {
    const run = await deploy({ appName: 'other', tagFilter: 'mainframe' });
    assert.equal(run.error?.code, 'PLATFORM_UNFIT');
    assert.match(run.error.message, /made for linux\/s390x, and every node .* is linux\//);
    assert.equal(await find('apps/v1', 'Deployment', 'other'), undefined);
  });
});
