import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { type PipelineResult, runPipeline } from '../../local/agent/index.ts';
import type { Session } from '../../local/aws/account.ts';
import { type LocalAws, roleArn } from '../../local/aws/index.ts';
import { type LocalIdentity, startIdentity } from '../../local/identity/index.ts';
import type { RegistryEndpoint, S3Endpoint } from '../../local/lib/endpoints.ts';
import { documentedAws, roleConnection } from '../support/aws.ts';
import { newBucket, type TestBucket } from '../support/buckets.ts';
import { registryConnection } from '../support/deployment.ts';
import { withFolder } from '../support/folder.ts';
import { baseImage, pull } from '../support/image.ts';
import { assertNoSecret, textBelow } from '../support/secretScan.ts';
import { services } from '../support/services.ts';
import { builtExtension } from '../support/vsix.ts';

/** More files than are read at a time, so that some are left when the first session is over. */
const parts = new Map(Array.from({ length: 60 }, (_, index) => [`part-${index}.bin`, randomBytes(1000)]));

const steps = (bucket: string, base: string): string => `
steps:
- task: FetchModel@1
  name: model
  inputs:
    source: s3
    s3Connection: models
    bucket: ${bucket}
    model: credit
    targetFolder: $(Pipeline.Workspace)/model
- task: FetchModel@1
  name: resolved
  inputs:
    source: s3
    s3Connection: models
    bucket: ${bucket}
    model: credit
    mode: resolve
    targetFolder: $(Pipeline.Workspace)/resolved
- task: BuildModelImage@1
  name: image
  inputs:
    containerRegistry: registry
    repository: credit/by-role
    tags: one
    appFolder: app
    baseImage: ${base}
    modelLock: $(resolved.modelLock)
    modelS3Connection: models
- script: cp -a "$AGENT_TEMPDIRECTORY" "$PIPELINE_WORKSPACE" "$KEPT"
  displayName: Keep what is left
`;

describe('a model in S3, by a role and the OIDC token of the pipeline alone', function () {
  this.timeout(300_000);
  let s3: S3Endpoint;
  let registry: RegistryEndpoint;
  let base: string;
  let bucket: TestBucket;
  let local: LocalIdentity;
  let aws: LocalAws;

  before(async () => {
    ({ s3, registry } = await services('s3', 'registry'));
    base = (await baseImage(registry)).reference;
    bucket = await newBucket(s3, { versioned: true });
    await Promise.all([...parts].map(([name, content]) => bucket.put(`credit/1.0/${name}`, content)));
    local = await startIdentity();
    aws = await documentedAws(local, s3, bucket.location.bucket);
  });
  after(async () => {
    await aws?.close();
    await local?.close();
  });

  /** What the file of service connections says: of the registry alone it holds a secret. */
  function connections(): object[] {
    const { id, url, scheme, parameters, data } = roleConnection(aws, local, 'oidc');
    assert.deepEqual(Object.keys({ ...parameters, ...data }).sort(), [
      'region',
      'rolearn',
      'stsendpoint',
      'useoidc',
    ]);
    const target = registryConnection(registry);
    return [
      { name: 'models', id, type: 'modelDeliveryS3', url, scheme, parameters, data },
      { ...target, name: 'registry', id: '11111111-2222-4333-8444-555555555511', type: 'dockerregistry' },
    ];
  }

  async function runAll(folder: string): Promise<PipelineResult> {
    for (const name of ['checkout/app', 'kept']) await mkdir(join(folder, name), { recursive: true });
    const files = {
      'checkout/pipeline.yml': steps(bucket.location.bucket, base),
      'checkout/app/app.py': 'print(1)\n',
      'connections.json': JSON.stringify({ connections: connections() }),
      'organisation.pem': local.authority.certificate,
    };
    for (const [name, content] of Object.entries(files)) await writeFile(join(folder, name), content);
    const { accessToken, oidcRequestUri } = local.devops;
    return runPipeline({
      file: join(folder, 'checkout/pipeline.yml'),
      workingCopy: join(folder, 'checkout'),
      workFolder: join(folder, 'agent'),
      connectionsFile: join(folder, 'connections.json'),
      vsix: await builtExtension(),
      screen: false,
      variables: { 'System.Debug': 'true' },
      environment: { ...process.env, KEPT: join(folder, 'kept') },
      system: { url: `${new URL(oidcRequestUri).origin}/local/`, accessToken, oidcRequestUri },
      network: { caFile: join(folder, 'organisation.pem') },
    });
  }

  it('is fetched while its session ends, streamed into an image, and leaves no secret behind', () =>
    withFolder(async (folder) => {
      aws.sts.lifeSeconds = 4;
      let first: Session | undefined;
      aws.s3.hold = async ({ session, action }) => {
        if (action !== 's3:GetObjectVersion') return;
        first ??= session;
        if (session === first) await sleep(Math.max(session.expires - Date.now(), 0) + 100);
      };
      const result = await runAll(folder);
      const logs = await textBelow(result.logFolder);
      assert.equal(result.result, 'Succeeded', logs);
      const reads = aws.s3.admitted.filter(({ action }) => action === 's3:GetObjectVersion');
      const fetched = reads.slice(0, parts.size).map(({ session }) => session);
      assert.ok(new Set(fetched).size > 1, 'the session was renewed in the middle of the transfer');
      assert.deepEqual(aws.s3.refused, []);
      assert.equal(new Set(local.devops.issued()).size, aws.account.sessions.length);
      assert.ok(logs.includes(roleArn) && logs.includes(local.devops.subjectOf(local.connectionId)));
      const { files } = await pull(registry, 'credit/by-role', 'one', 1);
      for (const [name, content] of parts) {
        assert.ok(content.equals(await readFile(join(folder, 'kept/1/model', name))), name);
        assert.ok(files.get(`app/model/${name}`)?.content.equals(content), name);
      }
      const attachments = await Promise.all(result.attachments.map(({ file }) => readFile(file, 'utf8')));
      const places = {
        ...{ logs, attachments: attachments.join('\n') },
        'files left': await textBelow(join(folder, 'kept')),
        "the agent's files": await textBelow(join(folder, 'agent')),
      };
      const { accessToken, issued } = local.devops;
      assertNoSecret(places, [...aws.secrets(), ...issued(), accessToken]);
    }));
});
