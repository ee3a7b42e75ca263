import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { LocalContext } from '../../local/lib/context.ts';
import type { RegistryEndpoint } from '../../local/lib/endpoints.ts';
import type { SeenRequest } from '../../local/proxy/index.ts';
import { stopServices } from '../../local/services/index.ts';
import { type Cloud, startCloud } from '../support/cloud.ts';
import { whileWatched } from '../support/commandLines.ts';
import { soon, type TestNamespace, testNamespace } from '../support/deployment.ts';
import type { Scheme } from '../support/identity.ts';
import { ownContext } from '../support/ownServices.ts';
import { bindGroup } from '../support/rights.ts';
import { assertNoSecret } from '../support/secretScan.ts';
import { services } from '../support/services.ts';
import { hosts } from '../support/sovereign.ts';
import { type PipelineRun, placesOf, runBehindProxy } from '../support/sovereignPipeline.ts';
import { pushWebImages } from '../support/webImage.ts';

/** What a node needs to pull the test's image: nothing of the pipeline's. */
async function givePullSecret(namespace: TestNamespace, registry: RegistryEndpoint): Promise<void> {
  const { username, password, host } = registry;
  const auths = JSON.stringify({ auths: { [host]: { username, password } } });
  const secret = {
    ...{ apiVersion: 'v1', kind: 'Secret', metadata: { name: 'pull', namespace: namespace.name } },
    type: 'kubernetes.io/dockerconfigjson',
    data: { '.dockerconfigjson': Buffer.from(auths).toString('base64') },
  };
  await namespace.client.create(secret, soon());
}

async function pushedImage(registry: RegistryEndpoint): Promise<PipelineRun['image']> {
  const repository = `proxy/web-${randomBytes(3).toString('hex')}`;
  const created = '2026-01-01T00:00:00Z';
  const [digest = ''] = await pushWebImages(registry, repository, [
    { tag: '1', modelVersion: 'v1', created },
  ]);
  const name = `${registry.host}/${repository}`;
  return { tagged: `${name}:any`, pinned: `${name}@${digest}` };
}

const schemes: readonly Scheme[] = [
  'workloadIdentity',
  'clientSecret',
  'clientCertificate',
  'managedIdentity',
];

function assertAllThrough(scheme: Scheme, seen: readonly SeenRequest[]): void {
  const { login, ...others } = hosts;
  // A machine's identity is asked for on the machine itself; nothing else goes past the proxy.
  const wanted = [...Object.values(others), ...(scheme === 'managedIdentity' ? [] : [login])];
  const met = new Set(seen.map(({ url }) => new URL(url).hostname));
  assert.deepEqual([...met].sort(), wanted.sort());
  assert.ok(
    seen.some(({ url }) => url.endsWith('.whl')),
    'pip came through',
  );
  const own = seen.filter(({ url }) => !url.includes(hosts.packages));
  for (const { userAgent, requestId, url } of own) {
    assert.match(
      userAgent,
      /model-delivery\/\d+\.\d+\.\d+ \((FetchModel|BuildModelImage|DeployToAks)\)/,
      url,
    );
    assert.match(requestId, /^[0-9a-f-]{36}$/, url);
  }
}

/** How often each task asked for what: a token of the identity, one of the registry for the identity's. */
function signIns(seen: readonly SeenRequest[]): Readonly<Record<string, number>> {
  const counts: Record<string, number> = {};
  for (const { url, userAgent } of seen) {
    const { hostname, pathname } = new URL(url);
    const task = /\((\w+)\)/.exec(userAgent)?.[1] ?? userAgent;
    const what = pathname.endsWith('/oauth2/v2.0/token') ? 'identity' : pathname.replace('/oauth2/', '');
    if (hostname !== hosts.login && hostname !== hosts.registry) continue;
    if (!['identity', 'exchange'].includes(what)) continue;
    counts[`${task} ${what}`] = (counts[`${task} ${what}`] ?? 0) + 1;
  }
  return counts;
}

describe('the whole pipeline in a sovereign cloud behind an inspecting proxy', function () {
  this.timeout(600_000);
  let folder: string;
  let context: LocalContext;
  let namespace: TestNamespace;
  let image: PipelineRun['image'];
  let cloud: Cloud;

  before(async () => {
    const { registry, cluster } = await services('registry', 'cluster');
    folder = await mkdtemp(join(tmpdir(), 'model-delivery-test-'));
    context = await ownContext(folder);
    image = await pushedImage(registry);
    namespace = await testNamespace(cluster);
    await givePullSecret(namespace, registry);
    cloud = await startCloud(context, await readFile(cluster.kubeconfig, 'utf8'));
    await bindGroup(namespace, cloud.local.group);
  });
  after(async () => {
    await cloud?.close();
    await namespace?.remove();
    await stopServices(context);
    await rm(folder, { recursive: true, force: true });
  });

  for (const scheme of schemes) {
    it(`signs in by ${scheme} everywhere, and leaves no secret behind`, async () => {
      const earlier = { seen: cloud.proxy.seen.length, secrets: cloud.secrets().length };
      const run = { folder: join(folder, scheme), scheme, namespace: namespace.name, image };
      const { result, watched } = await whileWatched(
        () => runBehindProxy(run, cloud),
        (line) => line.includes('pip-for-image.py'),
      );
      const places = await placesOf(run.folder, result, watched);
      assert.equal(result.result, 'Succeeded', places['logs']);
      assertAllThrough(scheme, cloud.proxy.seen.slice(earlier.seen));
      const once = { 'BuildModelImage exchange': 1, 'DeployToAks exchange': 1 };
      // Storage; the registry; resource manager and cluster twice, and the registry.
      const byLogin = { 'FetchModel identity': 1, 'BuildModelImage identity': 1, 'DeployToAks identity': 5 };
      const wanted = scheme === 'managedIdentity' ? once : { ...once, ...byLogin };
      assert.deepEqual(signIns(cloud.proxy.seen.slice(earlier.seen)), wanted);
      assert.deepEqual(cloud.proxy.refused, []);
      assert.match(places["pip's environment"] ?? '', /HTTPS_PROXY=http:\/\/task:/);
      assert.match(places['files left'] ?? '', /the weights/);
      assert.ok(cloud.secrets().length > earlier.secrets + 8, 'the run was given tokens of its own');
      assertNoSecret(places, cloud.secrets());
    });
  }
});
