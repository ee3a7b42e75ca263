import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { parse, stringify } from 'yaml';
import { explain } from '../../src/errors.ts';
import type { ServiceConnection } from '../../src/host/host.ts';
import type { KubeObject } from '../../src/kube/objects/objects.ts';
import { type Run, soon } from '../support/deployment.ts';
import { releases } from '../support/releases.ts';
import { documentedRole } from '../support/rights.ts';

interface Kubeconfig {
  clusters: { cluster: { server: string; 'certificate-authority-data'?: string } }[];
  users: { user: Record<string, unknown> }[];
}

describe("DeployToAks's way into the cluster", function () {
  this.timeout(120_000);
  const at = releases('access', [{ tag: '1', modelVersion: 'v1', created: '2026-01-01T00:00:00Z' }], {
    appName: 'web',
    readinessPath: '/healthz',
  });

  const deploy = (
    inputs: Record<string, string>,
    connections: readonly ServiceConnection[] = [],
  ): Promise<Run> => at.deploy(inputs, { connections });

  const kubeconfigWith = async (change: (config: Kubeconfig) => void): Promise<string> => {
    const config = parse(await readFile(at.cluster.kubeconfig, 'utf8')) as Kubeconfig;
    change(config);
    return stringify(config);
  };

  /** A service account's token, with the rights of this role in the namespace. */
  const tokenWith = async (name: string, role: KubeObject): Promise<string> => {
    const place = { namespace: at.namespace.name };
    const subject = { kind: 'ServiceAccount', name, ...place };
    const rbac = 'rbac.authorization.k8s.io';
    const objects: KubeObject[] = [
      { apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name, ...place } },
      { ...role, metadata: { name, ...place } },
      {
        apiVersion: `${rbac}/v1`,
        kind: 'RoleBinding',
        metadata: { name, ...place },
        subjects: [subject],
        roleRef: { apiGroup: rbac, kind: 'Role', name },
      },
    ];
    for (const object of objects) await at.namespace.client.create(object, soon());
    const answer = await at.namespace.transport.json({
      call: { verb: 'create', what: 'a token' },
      method: 'POST',
      path: `/api/v1/namespaces/${at.namespace.name}/serviceaccounts/${name}/token`,
      body: { apiVersion: 'authentication.k8s.io/v1', kind: 'TokenRequest', spec: { audiences: [] } },
      signal: soon(),
    });
    return (answer as { status: { token: string } }).status.token;
  };

  const serviceAccountConnection = (token: string): ServiceConnection => ({
    id: 'aks',
    url: at.namespace.access.server,
    scheme: 'Token',
    parameters: {
      apitoken: Buffer.from(token).toString('base64'),
      serviceaccountcertificate: Buffer.from(at.namespace.access.certificateAuthority ?? '').toString(
        'base64',
      ),
    },
    data: { authorizationtype: 'ServiceAccount', acceptuntrustedcerts: 'false' },
  });

  const failed = (run: Run, code: string): Run => {
    assert.equal(run.error?.code, code, `${run.error?.message}\n${run.log}`);
    const text = `${run.error.message} ${run.error.remedy} ${run.log}`;
    for (const secret of run.said.secrets) assert.ok(!text.includes(secret), 'a secret was printed');
    return run;
  };

  it('by the content of a kubeconfig works like by its path', async () => {
    const content = await readFile(at.cluster.kubeconfig, 'utf8');
    const run = await deploy({ kubeconfig: content, serviceType: 'ClusterIP' });
    assert.equal(run.error, undefined, run.log);
    assert.ok(run.said.secrets.length > 0, 'its credentials are registered as secrets');
  });

  it('by a service account with the documented Role works, for the first deployment and the next', async () => {
    const token = await tokenWith('deployer', await documentedRole());
    const inputs = { connectionType: 'kubernetes', kubernetesConnection: 'aks', appName: 'by-role' };
    const first = await deploy(inputs, [serviceAccountConnection(token)]);
    assert.equal(first.error, undefined, `${first.error?.message}\n${first.log}`);
    assert.ok(first.said.secrets.includes(token));
    const second = await deploy({ ...inputs, replicas: '1' }, [serviceAccountConnection(token)]);
    assert.equal(second.error, undefined, `${second.error?.message}\n${second.log}`);
  });

  it('by a service account without the right to change Deployments ends before anything changes', async () => {
    const role = await documentedRole();
    const rules = (role['rules'] as { resources: string[]; verbs: string[] }[]).map((rule) =>
      rule.resources.includes('deployments') ? { ...rule, verbs: ['get', 'list', 'watch'] } : rule,
    );
    const token = await tokenWith('reader', { ...role, rules });
    const inputs = { connectionType: 'kubernetes', kubernetesConnection: 'aks', appName: 'denied' };
    const run = failed(await deploy(inputs, [serviceAccountConnection(token)]), 'CLUSTER_FORBIDDEN');
    assert.match(run.error?.message ?? '', /may not (patch|create) deployments in namespace/);
    const service = { apiVersion: 'v1', kind: 'Service', namespace: at.namespace.name, name: 'denied' };
    assert.equal(await at.namespace.client.get(service, soon()), undefined);
  });

  it('tells, of a refused request, the audit id that the API server took over from the request', async () => {
    const wrong = { apiVersion: 'v1', kind: 'Secret', metadata: { name: 'Not_A_Name' } };
    const metadata = { ...wrong.metadata, namespace: at.namespace.name };
    await assert.rejects(at.namespace.client.create({ ...wrong, metadata }, soon()), (error) => {
      assert.match(explain(error), /^Cause: HTTP 422, audit-id [0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/m);
      return true;
    });
  });

  it('by a service account without the right to watch is told all that is missing before anything changes', async () => {
    const role = await documentedRole();
    const rules = (role['rules'] as { resources: string[]; verbs: string[] }[]).map((rule) =>
      rule.resources.some((name) => /^(replicasets|pods|pods\/log)$/.test(name))
        ? { ...rule, verbs: [] }
        : rule,
    );
    const usable = rules.filter((rule) => rule.verbs.length > 0);
    const token = await tokenWith('blind', { ...role, rules: usable });
    const inputs = { connectionType: 'kubernetes', kubernetesConnection: 'aks', appName: 'blind' };
    const run = failed(await deploy(inputs, [serviceAccountConnection(token)]), 'RIGHTS_MISSING');
    assert.match(run.error?.message ?? '', /list, watch pods in namespace .*; list, watch replicasets\.apps/);
    const service = { apiVersion: 'v1', kind: 'Service', namespace: at.namespace.name, name: 'blind' };
    assert.equal(await at.namespace.client.get(service, soon()), undefined);
  });

  it('that is cut again and again goes on until the rollout is complete', async () => {
    const server = new URL(at.namespace.access.server);
    const sockets = new Set<Socket>();
    const relay = createServer((socket) => {
      const upstream = connect(Number(server.port), server.hostname);
      for (const one of [socket, upstream]) {
        sockets.add(one);
        one.on('error', () => undefined).on('close', () => sockets.delete(one));
      }
      socket.pipe(upstream).pipe(socket);
    }).listen(0, '127.0.0.1');
    await once(relay, 'listening');
    let cuts = 0;
    const cutting = setInterval(() => {
      cuts += sockets.size;
      for (const socket of sockets) socket.destroy();
    }, 400);
    try {
      const { port } = relay.address() as AddressInfo;
      const kubeconfig = await kubeconfigWith((config) => {
        for (const { cluster: one } of config.clusters) one.server = `https://127.0.0.1:${port}`;
      });
      const run = await deploy({ kubeconfig, appName: 'cut', serviceType: 'ClusterIP', replicas: '3' });
      assert.equal(run.error, undefined, `${run.error?.message}\n${run.log}`);
      assert.ok(cuts > 0, 'connections were cut');
    } finally {
      clearInterval(cutting);
      for (const socket of sockets) socket.destroy();
      relay.close();
    }
  });

  it('to a server that is not there ends with its address', async () => {
    const kubeconfig = await kubeconfigWith((config) => {
      for (const { cluster: one } of config.clusters) one.server = 'https://127.0.0.1:1';
    });
    const run = failed(await deploy({ kubeconfig }), 'CLUSTER_UNREACHABLE');
    assert.match(
      `${run.error?.message} ${run.error?.remedy}`,
      /'127\.0\.0\.1:1' cannot be reached.*Nothing listens/,
    );
  });

  it('to a name that does not resolve says so', async () => {
    const kubeconfig = await kubeconfigWith((config) => {
      for (const { cluster: one } of config.clusters) one.server = 'https://nowhere.invalid:6443';
    });
    const run = failed(await deploy({ kubeconfig }), 'CLUSTER_UNREACHABLE');
    assert.match(run.error?.remedy ?? '', /not resolved/);
  });

  it('with another certificate authority is refused before any credential is sent', async () => {
    const kubeconfig = await kubeconfigWith((config) => {
      for (const { cluster: one } of config.clusters) delete one['certificate-authority-data'];
    });
    failed(await deploy({ kubeconfig }), 'CLUSTER_TLS');
  });

  it('with a wrong token ends as not signed in, and the token is not printed', async () => {
    const kubeconfig = await kubeconfigWith((config) => {
      for (const one of config.users) one.user = { token: 'a-token-of-another-cluster' };
    });
    const run = failed(await deploy({ kubeconfig }), 'CLUSTER_UNAUTHENTICATED');
    assert.ok(run.said.secrets.includes('a-token-of-another-cluster'));
  });
});
