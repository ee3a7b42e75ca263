import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { goEnvironment } from '../../local/toolchain/go.ts';
import { watchUntil } from '../../src/kube/api/watchUntil.ts';
import { parseManifests } from '../../src/kube/manifests/manifests.ts';
import { pullSecret } from '../../src/kube/manifests/pullSecret.ts';
import type { KubeObject } from '../../src/kube/objects/objects.ts';
import { soon, type TestNamespace } from './deployment.ts';
import type { Releases } from './releases.ts';
import { pushProgram } from './webImage.ts';

const run = promisify(execFile);
const api = { apiVersion: 'gateway.networking.k8s.io/v1' };
const definitions = ['gatewayclasses', 'gateways', 'httproutes'];

/** The folder of the Gateway API's definitions, of the version that the test gateway's go.mod names. */
async function definitionFolder(): Promise<string> {
  const cwd = fileURLToPath(new URL('gateway', import.meta.url));
  const args = ['mod', 'download', '-json', 'sigs.k8s.io/gateway-api'];
  const { stdout } = await run('go', args, { cwd, env: goEnvironment(process.env) });
  const { Dir: folder } = JSON.parse(stdout) as { Dir: string };
  return join(folder, 'config', 'crd', 'standard');
}

async function waitFor(
  { client }: TestNamespace,
  object: KubeObject,
  is: (found: KubeObject) => boolean,
): Promise<void> {
  const { apiVersion, kind, metadata } = object;
  const { namespace = '', name } = metadata;
  const only = { apiVersion, kind, namespace, fieldSelector: `metadata.name=${name}` };
  const options = { timeoutMs: 60_000, signal: soon() };
  const { answer } = await watchUntil(client, [only], options, ([all]) => all?.some(is) || undefined);
  assert.equal(answer, true, `${kind} ${name} is there`);
}

function isEstablished({ status }: KubeObject): boolean {
  const { conditions } = (status ?? {}) as { conditions?: { type: string; status: string }[] | null };
  return conditions?.some((one) => one.type === 'Established' && one.status === 'True') === true;
}

/** Installs the Gateway API's definitions in the cluster; they stay there, and harm nobody. */
async function installDefinitions(namespace: TestNamespace): Promise<void> {
  const folder = await definitionFolder();
  for (const plural of definitions) {
    const path = join(folder, `gateway.networking.k8s.io_${plural}.yaml`);
    const [manifest] = parseManifests({ name: path, text: await readFile(path, 'utf8') });
    assert.ok(manifest);
    await namespace.client.apply(manifest.object, { dryRun: false, force: true }, soon());
    await waitFor(namespace, manifest.object, isEstablished);
  }
}

/** The Gateway, and the pod that plays it with the rights that it needs. */
function objectsOf(name: string, namespace: string, image: string, secret: string): KubeObject[] {
  const metadata = { name, namespace };
  const labels = { gateway: name };
  const rbac = { apiVersion: 'rbac.authorization.k8s.io/v1' };
  const rules = [
    { apiGroups: [''], resources: ['services'], verbs: ['list'] },
    { apiGroups: ['gateway.networking.k8s.io'], resources: ['httproutes'], verbs: ['list'] },
    {
      apiGroups: ['gateway.networking.k8s.io'],
      resources: ['httproutes/status', 'gateways/status'],
      verbs: ['patch'],
    },
  ];
  const env = [
    { name: 'NAMESPACE', value: namespace },
    { name: 'GATEWAY', value: name },
  ];
  const spec = {
    serviceAccountName: name,
    terminationGracePeriodSeconds: 0,
    imagePullSecrets: [{ name: secret }],
    containers: [{ name, image, env }],
  };
  return [
    { apiVersion: 'v1', kind: 'ServiceAccount', metadata },
    { ...rbac, kind: 'Role', metadata, rules },
    {
      ...{ ...rbac, kind: 'RoleBinding', metadata },
      roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'Role', name },
      subjects: [{ kind: 'ServiceAccount', name, namespace }],
    },
    {
      ...{ ...api, kind: 'Gateway', metadata },
      spec: { gatewayClassName: 'test', listeners: [{ name: 'http', port: 80, protocol: 'HTTP' }] },
    },
    {
      ...{ apiVersion: 'v1', kind: 'Service', metadata },
      spec: { type: 'LoadBalancer', selector: labels, ports: [{ port: 80, targetPort: 8080 }] },
    },
    {
      ...{ apiVersion: 'apps/v1', kind: 'Deployment', metadata },
      spec: { selector: { matchLabels: labels }, template: { metadata: { labels }, spec } },
    },
  ];
}

/** Starts a Gateway of this name in the suite's namespace, and waits until it has an address. */
export async function startGateway(
  { registry, repository, namespace }: Releases,
  name: string,
): Promise<void> {
  await installDefinitions(namespace);
  const digest = await pushProgram(registry, repository, 'gateway');
  const { username, password } = registry;
  const secret = pullSecret(registry.host, { username, password }).object;
  const inNamespace = { ...secret, metadata: { ...secret.metadata, namespace: namespace.name } };
  const image = `${registry.host}/${repository}@${digest}`;
  const objects = objectsOf(name, namespace.name, image, secret.metadata.name);
  for (const object of [inNamespace, ...objects]) {
    await namespace.client.apply(object, { dryRun: false, force: true }, soon());
  }
  const gateway: KubeObject = { ...api, kind: 'Gateway', metadata: { name, namespace: namespace.name } };
  await waitFor(namespace, gateway, ({ status }) => {
    const { addresses = [] } = (status ?? {}) as { addresses?: readonly object[] };
    return addresses.length > 0;
  });
}
