import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type PipelineResult, runPipeline } from '../../local/agent/index.ts';
import type { Cloud } from './cloud.ts';
import type { Watched } from './commandLines.ts';
import type { Scheme } from './identity.ts';
import { type Places, textBelow } from './secretScan.ts';
import { hosts, sovereignConnection } from './sovereign.ts';
import { builtExtension } from './vsix.ts';

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
    repository: credit/$(scheme)
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
    repository: credit/$(scheme)
    appName: scoring
    dryRun: true
- script: cp -a "$AGENT_TEMPDIRECTORY" "$PIPELINE_WORKSPACE" "$HOME" "$TMPDIR" "$KEPT"
  displayName: Keep what is left
`;

const manifest = (name: string, image: string): string =>
  JSON.stringify({
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name },
    spec: {
      replicas: 1,
      selector: { matchLabels: { app: name } },
      template: {
        metadata: { labels: { app: name } },
        spec: {
          imagePullSecrets: [{ name: 'pull' }],
          containers: [{ name: 'web', image, readinessProbe: { httpGet: { path: '/', port: 8080 } } }],
        },
      },
    },
  });

/** One run of the whole pipeline. */
export interface PipelineRun {
  readonly folder: string;
  readonly scheme: Scheme;
  readonly namespace: string;
  /** An image that the cluster's nodes can pull, by tag and by digest. */
  readonly image: { readonly tagged: string; readonly pinned: string };
}

/** What the pipeline is given: its checkout, the connections, the proxy's authority, folders of its own. */
async function writeFiles({ folder, scheme, image }: PipelineRun, { local, proxy }: Cloud): Promise<void> {
  for (const name of ['checkout/app', 'kept', 'home', 'tmp']) {
    await mkdir(join(folder, name), { recursive: true });
  }
  const files = {
    'checkout/pipeline.yml': steps,
    'checkout/deploy.yaml': manifest(`web-${scheme.toLowerCase()}`, image.tagged),
    'checkout/app/app.py': 'print("scoring")\n',
    'checkout/app/requirements.txt': `--index-url https://${hosts.packages}/simple\ngreeting==1.0\n`,
    'connections.json': JSON.stringify({ connections: [sovereignConnection(local, scheme)] }),
    'organisation.pem': proxy.authority,
  };
  for (const [name, content] of Object.entries(files)) await writeFile(join(folder, name), content);
}

/** Runs the packaged tasks on an agent whose only way out is the cloud's proxy. */
export async function runBehindProxy(run: PipelineRun, cloud: Cloud): Promise<PipelineResult> {
  const { folder, scheme, namespace, image } = run;
  const { local, proxy, proxyUser } = cloud;
  await writeFiles(run, cloud);
  const { NODE_EXTRA_CA_CERTS: _, ...environment } = process.env;
  const { accessToken, oidcRequestUri } = local.devops;
  return runPipeline({
    file: join(folder, 'checkout/pipeline.yml'),
    workingCopy: join(folder, 'checkout'),
    workFolder: join(folder, 'agent'),
    connectionsFile: join(folder, 'connections.json'),
    vsix: await builtExtension(),
    screen: false,
    environment: {
      ...environment,
      ...{ KEPT: join(folder, 'kept'), HOME: join(folder, 'home'), TMPDIR: join(folder, 'tmp') },
      // The agent's own setting goes before what the machine's environment says.
      ...{ HTTP_PROXY: 'http://127.0.0.1:9', HTTPS_PROXY: 'http://127.0.0.1:9' },
      // The metadata service of the machine; only an agent of this scheme has one.
      ...(scheme === 'managedIdentity' ? { AZURE_POD_IDENTITY_AUTHORITY_HOST: local.managed.url } : {}),
    },
    variables: { namespace, webImage: image.pinned, scheme: scheme.toLowerCase() },
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

/** All that a run left or showed, but for the file of service connections. */
export async function placesOf(folder: string, result: PipelineResult, watched: Watched): Promise<Places> {
  const attachments = await Promise.all(result.attachments.map(({ file }) => readFile(file, 'utf8')));
  return {
    logs: await textBelow(result.logFolder),
    attachments: attachments.join('\n'),
    'files left': await textBelow(join(folder, 'kept')),
    "the agent's files": await textBelow(join(folder, 'agent')),
    'the checkout': await textBelow(join(folder, 'checkout')),
    'command lines': [...watched.commandLines].join('\n'),
    "pip's environment": [...watched.childEnvironments].join('\n'),
  };
}
