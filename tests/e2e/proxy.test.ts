import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type PipelineResult, runPipeline } from '../../local/agent/index.ts';
import { startAcr } from '../../local/azure/acr.ts';
import { startEntraApiServer } from '../../local/azure/apiServer.ts';
import { startArm } from '../../local/azure/arm.ts';
import { startOauthStorage } from '../../local/azure/storage.ts';
import { audiences, type LocalIdentity, startIdentity } from '../../local/identity/index.ts';
import type { LocalContext } from '../../local/lib/context.ts';
import type { RegistryEndpoint } from '../../local/lib/endpoints.ts';
import { type InspectingProxy, startInspectingProxy } from '../../local/proxy/index.ts';
import { secretForms } from '../../src/host/secretForms.ts';
import { type Watched, whileWatched } from '../support/commandLines.ts';
import { soon, type TestNamespace, testNamespace } from '../support/deployment.ts';
import { withOwnServices } from '../support/ownServices.ts';
import { services } from '../support/services.ts';
import {
  hosts,
  publishBlobs,
  pushBase,
  sovereignConnection,
  startPackageIndex,
} from '../support/sovereign.ts';
import { builtExtension } from '../support/vsix.ts';
import { pushWebImages } from '../support/webImage.ts';

const proxyUser = { username: 'agent', password: `p@ss/${randomBytes(9).toString('hex')}` };

const steps = `
steps:
- checkout: self
- task: FetchModel@1
  name: model
  inputs:
    azureSubscription: sovereign
    storageAccount: datascience
    container: models
    model: credit
    targetFolder: $(Pipeline.Workspace)/model
- task: BuildModelImage@1
  name: image
  inputs:
    engine: registry
    azureSubscription: sovereign
    registry: ${hosts.registry}
    repository: credit/scoring
    tags: $(Build.BuildId)
    appFolder: app
    baseImage: ${hosts.registry}/base:1
    pythonVersion: '3.11'
    requirements: app/requirements.txt
    command: python3 app.py
    modelLock: $(model.modelLock)
- task: DeployToAks@1
  name: release
  inputs:
    connectionType: azureResourceManager
    azureSubscription: sovereign
    resourceGroup: models
    cluster: prod
    namespace: $(namespace)
    manifests: deploy.yaml
    image: $(webImage)
- task: DeployToAks@1
  name: planned
  inputs:
    connectionType: azureResourceManager
    azureSubscription: sovereign
    resourceGroup: models
    cluster: prod
    namespace: $(namespace)
    registry: ${hosts.registry}
    repository: credit/scoring
    appName: scoring
    dryRun: true
- script: cp -a "$AGENT_TEMPDIRECTORY" "$PIPELINE_WORKSPACE" "$KEPT"
  displayName: Keep what is left
`;

const entraKubeconfig = (authority: string): string =>
  JSON.stringify({
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [
      {
        name: 'prod',
        cluster: {
          server: `https://${hosts.cluster}`,
          'certificate-authority-data': Buffer.from(authority).toString('base64'),
        },
      },
    ],
    users: [
      {
        name: 'user',
        user: {
          exec: {
            apiVersion: 'client.authentication.k8s.io/v1beta1',
            command: 'kubelogin',
            args: ['get-token', '--server-id', audiences.aks, '--login', 'devicecode'],
          },
        },
      },
    ],
    contexts: [{ name: 'prod', context: { cluster: 'prod', user: 'user' } }],
    'current-context': 'prod',
  });

const manifest = (image: string): string =>
  JSON.stringify({
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name: 'web' },
    spec: {
      replicas: 1,
      selector: { matchLabels: { app: 'web' } },
      template: {
        metadata: { labels: { app: 'web' } },
        spec: {
          imagePullSecrets: [{ name: 'pull' }],
          containers: [{ name: 'web', image, readinessProbe: { httpGet: { path: '/', port: 8080 } } }],
        },
      },
    },
  });

async function textBelow(folder: string): Promise<string> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
  return (await Promise.all(files.map((file) => readFile(file, 'utf8')))).join('\n');
}

interface Cloud {
  readonly local: LocalIdentity;
  readonly proxy: InspectingProxy;
  /** Every token that any of its services gave. */
  issued(): readonly string[];
  /** What the package index was asked for. */
  readonly packages: readonly string[];
}

/** The whole cloud, reached by the proxy alone. */
async function withCloud(
  context: LocalContext,
  kubeconfig: string,
  use: (cloud: Cloud) => Promise<void>,
): Promise<void> {
  const closing: (() => Promise<void>)[] = [];
  const kept = <T extends { close(): Promise<void> }>(started: T): T => {
    closing.unshift(() => started.close());
    return started;
  };
  try {
    const local = kept(await startIdentity());
    const storage = kept(await startOauthStorage(context, local));
    const acr = kept(await startAcr(context, local, `https://${hosts.registry}`));
    const arm = kept(await startArm(local));
    const cluster = kept(await startEntraApiServer(local, kubeconfig, hosts.cluster));
    const index = kept(await startPackageIndex(local));
    const entra = entraKubeconfig(local.authority.certificate);
    arm.clusters = [
      {
        ...{ subscriptionId: '00000000-0000-4000-8000-0000000000aa', resourceGroup: 'models', name: 'prod' },
        ...{ userKubeconfig: entra, adminKubeconfig: entra, localAccountsDisabled: true },
        ...{ users: [local.application.objectId], admins: [] },
      },
    ];
    await publishBlobs(storage, local);
    await pushBase(acr, local);
    const ways: Record<keyof typeof hosts, string> = {
      login: local.entra.url,
      devops: local.devops.url,
      storage: new URL(storage.blobEndpoint).origin,
      registry: acr.url,
      manager: arm.url,
      cluster: cluster.url,
      packages: index.url,
    };
    const proxy = kept(
      await startInspectingProxy({
        ...proxyUser,
        hosts: new Map(Object.entries(ways).map(([key, home]) => [hosts[key as keyof typeof hosts], home])),
        upstreamAuthorities: [local.authority.certificate],
      }),
    );
    const issued = () => [
      ...local.entra.issued(),
      ...local.devops.issued(),
      ...acr.issued(),
      local.devops.accessToken,
    ];
    await use({ local, proxy, issued, packages: index.requests });
  } finally {
    for (const close of closing) await close();
  }
}

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

/** What the pipeline is given: its checkout, the connections, the proxy's authority. */
async function writeFiles(folder: string, { local, proxy }: Cloud, image: string): Promise<void> {
  for (const name of ['checkout/app', 'kept']) await mkdir(join(folder, name), { recursive: true });
  const files = {
    'checkout/pipeline.yml': steps,
    'checkout/deploy.yaml': manifest(image),
    'checkout/app/app.py': 'print("scoring")\n',
    'checkout/app/requirements.txt': `--index-url https://${hosts.packages}/simple\ngreeting==1.0\n`,
    'connections.json': JSON.stringify({ connections: [sovereignConnection(local)] }),
    'organisation.pem': proxy.authority,
  };
  for (const [name, content] of Object.entries(files)) await writeFile(join(folder, name), content);
}

async function runBehindProxy(
  folder: string,
  { local, proxy }: Cloud,
  variables: Readonly<Record<string, string>>,
): Promise<PipelineResult> {
  const { NODE_EXTRA_CA_CERTS: _, ...environment } = process.env;
  const { accessToken, oidcRequestUri } = local.devops;
  return runPipeline({
    file: join(folder, 'checkout/pipeline.yml'),
    workingCopy: join(folder, 'checkout'),
    workFolder: join(folder, 'agent'),
    connectionsFile: join(folder, 'connections.json'),
    vsix: await builtExtension(),
    screen: false,
    environment: { ...environment, KEPT: join(folder, 'kept') },
    variables,
    system: {
      ...{ url: `https://${hosts.devops}/local/`, accessToken },
      oidcRequestUri: oidcRequestUri.replace(/^https:\/\/[^/]+/, `https://${hosts.devops}`),
    },
    network: {
      proxy: { url: proxy.url, ...proxyUser, bypass: [] },
      caFile: join(folder, 'organisation.pem'),
    },
  });
}

function assertAllThrough({ proxy, packages }: Cloud): void {
  const asked = new Set(proxy.seen.map(({ url }) => new URL(url).hostname));
  assert.deepEqual([...asked].sort(), Object.values(hosts).sort(), 'each service by the proxy');
  assert.deepEqual(proxy.refused, []);
  assert.ok(
    packages.some((path) => path.endsWith('.whl')),
    'pip came through',
  );
  const own = proxy.seen.filter(({ url }) => !url.includes(hosts.packages));
  for (const { userAgent, url } of own) assert.match(userAgent, /model-delivery/, url);
}

function assertNoSecret(places: Readonly<Record<string, string>>, secrets: readonly string[]): void {
  const forms = secrets.flatMap((secret) => secretForms(secret));
  for (const [place, text] of Object.entries(places)) {
    assert.ok(text.length > 0, `${place} was looked at`);
    assert.ok(!forms.some((form) => text.includes(form)), `a secret in: ${place}`);
  }
}

async function placesOf(
  folder: string,
  result: PipelineResult,
  watched: Watched,
): Promise<Record<string, string>> {
  const attachments = await Promise.all(result.attachments.map(({ file }) => readFile(file, 'utf8')));
  return {
    logs: await textBelow(result.logFolder),
    attachments: attachments.join('\n'),
    'files left': await textBelow(join(folder, 'kept')),
    "the agent's files": await textBelow(join(folder, 'agent')),
    'service connections': await readFile(join(folder, 'connections.json'), 'utf8'),
    'command lines': [...watched.commandLines].join('\n'),
    "pip's environment": [...watched.childEnvironments].join('\n'),
  };
}

describe('the whole pipeline in a sovereign cloud behind an inspecting proxy', function () {
  this.timeout(600_000);

  it('signs in by workload identity everywhere, and leaves no secret behind', async () => {
    const { registry, cluster } = await services('registry', 'cluster');
    const repository = `proxy/web-${randomBytes(3).toString('hex')}`;
    const created = '2026-01-01T00:00:00Z';
    const [digest = ''] = await pushWebImages(registry, repository, [
      { tag: '1', modelVersion: 'v1', created },
    ]);
    const name = `${registry.host}/${repository}`;
    const namespace = await testNamespace(cluster);
    const kubeconfig = await readFile(cluster.kubeconfig, 'utf8');
    const trip = async (folder: string, cloud: Cloud): Promise<void> => {
      await writeFiles(folder, cloud, `${name}:any`);
      const variables = { namespace: namespace.name, webImage: `${name}@${digest}` };
      const { result, watched } = await whileWatched(
        () => runBehindProxy(folder, cloud, variables),
        (line) => line.includes('pip-for-image.py'),
      );
      const places = await placesOf(folder, result, watched);
      assert.equal(result.result, 'Succeeded', places['logs']);
      assertAllThrough(cloud);
      assert.match(places["pip's environment"] ?? '', /HTTPS_PROXY=http:\/\/task:/);
      assert.match(places['files left'] ?? '', /the weights/);
      const secrets = [...cloud.issued(), proxyUser.password, cloud.local.application.secret];
      assert.ok(secrets.length > 12);
      assertNoSecret(places, secrets);
    };
    try {
      await givePullSecret(namespace, registry);
      await withOwnServices((context) =>
        withCloud(context, kubeconfig, (cloud) => trip(context.stateFolder, cloud)),
      );
    } finally {
      await namespace.remove();
    }
  });
});
