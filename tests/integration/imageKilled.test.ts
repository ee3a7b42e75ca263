import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { generateKeyPairSync, randomBytes, randomInt } from 'node:crypto';
import { once } from 'node:events';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { repositoryRoot } from '../../local/lib/context.ts';
import type { RegistryEndpoint, S3Endpoint } from '../../local/lib/endpoints.ts';
import type { RegistryClient } from '../../src/oci/client.ts';
import type { Descriptor } from '../../src/oci/types.ts';
import { run as fetchModel } from '../../tasks/FetchModel/run.ts';
import { newBucket } from '../support/buckets.ts';
import { type Cosign, ensureCosign } from '../support/cosign.ts';
import { pushDockerBase } from '../support/dockerBase.ts';
import { withFaultProxy } from '../support/faultProxy.ts';
import { withFolder } from '../support/folder.ts';
import { recordingHost } from '../support/host.ts';
import { type BuildSettings, pull, runBuild } from '../support/image.ts';
import { randomFrom } from '../support/random.ts';
import { services } from '../support/services.ts';
import { registryClient } from '../support/webImage.ts';

/** Moments at which a run is ended, by a kill and by a cancellation in turn. */
const moments = Number(process.env['MODEL_DELIVERY_BUILD_KILLS'] ?? 3);
/** The same seed gives the same moments. */
const seed = Number(process.env['MODEL_DELIVERY_SEED'] ?? randomInt(1, 2 ** 31 - 1));
/** More than two ranges. */
const weights = randomBytes(20_000_000);

/** The task in a process of its own, killed at the moment, unless it ends before. */
async function runKilled(settings: BuildSettings, moment: AbortSignal): Promise<void> {
  const support = JSON.stringify(join(repositoryRoot, 'tests/support/image.ts'));
  const script = `import { runBuild } from ${support}; await runBuild(${JSON.stringify(settings)});`;
  const options = { cwd: repositoryRoot, stdio: 'ignore' as const };
  const args = ['--import', 'tsx/esm', '--input-type=module', '--eval', script];
  const child = spawn(process.execPath, args, options);
  moment.addEventListener('abort', () => child.kill('SIGKILL'));
  await once(child, 'exit');
}

/** Everything that a tag leads to is there. */
async function assertWhole(client: RegistryClient, repository: string, version: string): Promise<void> {
  const stored = await client.manifest(repository, version);
  if (stored.kind === 'index') {
    for (const { digest } of stored.index.manifests) await assertWhole(client, repository, digest);
    return;
  }
  const blobs: readonly Descriptor[] = [stored.manifest.config, ...stored.manifest.layers];
  for (const { digest } of blobs) assert.equal(await client.hasBlob(repository, digest), true, digest);
}

describe('BuildModelImage for two platforms, signed, from S3, ended at any moment', function () {
  this.timeout(600_000);
  let s3: S3Endpoint;
  let registry: RegistryEndpoint;
  let cosign: Cosign;

  before(async () => {
    ({ s3, registry } = await services('s3', 'registry'));
    cosign = await ensureCosign();
    await pushDockerBase(registryClient(registry, 'bases/two'), 'bases/two');
  });

  const prepare = async (folder: string): Promise<Omit<BuildSettings, 'registry'>> => {
    const bucket = await newBucket(s3);
    await bucket.put('scorer/1.0/weights.bin', weights);
    await bucket.put('scorer/1.0/labels.txt', 'a\nb\n');
    const source = {
      ...{ id: 'bucket', url: s3.url, scheme: 'UsernamePassword', data: { region: s3.region } },
      parameters: { username: s3.accessKeyId, password: s3.secretAccessKey },
    };
    const wanted = { source: 's3', s3Connection: 'bucket', bucket: bucket.location.bucket, model: 'scorer' };
    const inputs = { ...wanted, mode: 'resolve', targetFolder: join(folder, 'model') };
    const fetching = recordingHost({ workingFolder: folder, connections: [source], inputs });
    await fetchModel(fetching.host);
    await mkdir(join(folder, 'app'));
    await writeFile(join(folder, 'app', 'app.py'), 'print(1)\n');
    const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    await writeFile(join(folder, 'key.pem'), privateKey.export({ type: 'pkcs8', format: 'pem' }));
    await writeFile(join(folder, 'key.pub'), publicKey.export({ type: 'spki', format: 'pem' }));
    const model = { modelLock: String(fetching.said.outputs.get('modelLock')), modelS3Connection: 'bucket' };
    return {
      ...{ folder, connections: [source] },
      inputs: { ...model, appFolder: 'app', platforms: 'linux/amd64, linux/arm64', signingKey: 'key.pem' },
    };
  };

  /** What each tag names is whole, and what may be deployed is signed too. */
  const assertNothingHalfDone = async (folder: string, repository: string): Promise<boolean> => {
    const client = registryClient(registry, repository);
    const tags = await client.listTags(repository).catch((error: unknown): readonly string[] => {
      assert.equal((error as { code?: string }).code, 'REPOSITORY_NOT_FOUND');
      return [];
    });
    for (const tag of tags) await assertWhole(client, repository, tag);
    if (!tags.includes('test')) return false;
    const { digest } = await client.manifest(repository, 'test');
    const image = `${registry.host}/${repository}@${digest}`;
    assert.equal((await cosign.verify('signature', join(folder, 'key.pub'), image, registry)).length, 1);
    const { files } = await pull(registry, repository, 'test', 2);
    assert.equal(files.get('app/model/weights.bin')?.content.equals(weights), true);
    return true;
  };

  it(`leaves no tag half-done, and the next run completes (seed ${seed})`, async () => {
    const random = randomFrom(seed);
    await withFolder(async (folder) => {
      const prepared = await prepare(folder);
      let seen = 0;
      let at = Number.POSITIVE_INFINITY;
      let ended = new AbortController();
      const rule = async () => {
        seen += 1;
        if (seen !== at) return undefined;
        // Up to this long after the request arrived: before it is answered, or in the middle of its bytes.
        await sleep(random() * 30);
        ended.abort();
        return undefined;
      };
      await withFaultProxy(registry.url, rule, async ({ url }) => {
        const { host } = new URL(url);
        const settingsFor = (repository: string): BuildSettings => ({
          ...prepared,
          registry: { ...registry, url, host },
          inputs: { ...prepared.inputs, repository, baseImage: `${host}/bases/two:1` },
        });
        const name = (): string => `killed/${randomBytes(6).toString('hex')}`;
        await runBuild(settingsFor(name()));
        const requests = seen;
        for (let round = 0; round < moments; round += 1) {
          const repository = name();
          const settings = settingsFor(repository);
          [seen, at, ended] = [0, 1 + Math.floor(random() * requests), new AbortController()];
          const { signal } = ended;
          if (round % 2 === 0) await runKilled(settings, signal);
          else await runBuild({ ...settings, signal }).catch(() => assert.ok(signal.aborted));
          assert.ok(signal.aborted, `the moment ${at} of ${requests} was reached`);
          at = Number.POSITIVE_INFINITY;
          await assertNothingHalfDone(folder, repository);
          await runBuild(settings);
          assert.equal(await assertNothingHalfDone(folder, repository), true);
        }
      });
    });
  });
});
