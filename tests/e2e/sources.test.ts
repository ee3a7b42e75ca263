import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { runPipeline } from '../../local/agent/index.ts';
import type { StepResult } from '../../local/agent/results.ts';
import type { RegistryEndpoint, S3Endpoint } from '../../local/lib/endpoints.ts';
import { parseLock } from '../../src/model/lock.ts';
import { modelRepository } from '../support/artifacts.ts';
import { newBucket } from '../support/buckets.ts';
import { withFolder } from '../support/folder.ts';
import { type Nginx, startNginx } from '../support/nginx.ts';
import { services } from '../support/services.ts';
import { builtExtension } from '../support/vsix.ts';

type Inputs = Readonly<Record<string, string>>;

/** More than one range. */
const weights = randomBytes(20_000_000);
const labels = Buffer.from('a\nb\n');

interface Fetched {
  readonly steps: readonly StepResult[];
  readonly folder: string;
  /** Everything that the run wrote below its work folder's logs. */
  readonly log: string;
}

/** The step twice, as two nights would run it, through the packaged extension on the local agent. */
async function fetchTwice(folder: string, inputs: Inputs, connections: readonly object[]): Promise<Fetched> {
  const target = join(folder, 'model');
  const lines = Object.entries({ ...inputs, targetFolder: target }).map(
    ([name, value]) => `      ${name}: ${JSON.stringify(value)}`,
  );
  const step = (name: string): string =>
    `  - task: FetchModel@1\n    name: ${name}\n    inputs:\n${lines.join('\n')}\n`;
  await mkdir(join(folder, 'repository'));
  const file = join(folder, 'repository', 'fetch.yml');
  await writeFile(file, `steps:\n${step('first')}${step('second')}`);
  await writeFile(join(folder, 'connections.json'), JSON.stringify({ connections }));
  const result = await runPipeline({
    file,
    vsix: await builtExtension(),
    connectionsFile: join(folder, 'connections.json'),
    workFolder: join(folder, 'work'),
    screen: false,
  });
  const steps = result.stages.flatMap((stage) => stage.jobs).flatMap((job) => job.steps);
  const found = steps.filter(({ name }) => name === 'first' || name === 'second');
  const log = (await Promise.all(found.map((one) => readFile(one.logFile, 'utf8')))).join('\n');
  return { steps: found, folder: target, log };
}

async function holdsVersion(fetched: Fetched, version: string): Promise<void> {
  assert.deepEqual(
    fetched.steps.map((step) => step.result),
    ['Succeeded', 'Succeeded'],
    fetched.log,
  );
  assert.ok(weights.equals(await readFile(join(fetched.folder, 'weights.bin'))));
  assert.ok(labels.equals(await readFile(join(fetched.folder, 'sub', 'labels.txt'))));
  const lock = parseLock(await readFile(join(fetched.folder, 'model.lock.json'), 'utf8'));
  assert.equal(lock?.version, version);
  assert.match(fetched.log, /Nothing to fetch/);
}

describe('FetchModel, packaged, brings the newest version and on the next night nothing', function () {
  this.timeout(300_000);
  let s3: S3Endpoint;
  let registry: RegistryEndpoint;
  let nginx: Nginx;

  before(async () => {
    ({ s3, registry } = await services('s3', 'registry'));
    nginx = await startNginx();
  });
  after(() => nginx.close());

  it('from S3, by a service connection of its type', () =>
    withFolder(async (folder) => {
      const { location, put } = await newBucket(s3, { versioned: true });
      await put('risk/credit/1.9.0/weights.bin', 'old');
      await put('risk/credit/1.10.0/weights.bin', weights);
      await put('risk/credit/1.10.0/sub/labels.txt', labels);
      const connection = {
        name: 'models',
        id: '11111111-2222-4333-8444-555555555501',
        type: 'modelDeliveryS3',
        url: s3.url,
        scheme: 'UsernamePassword',
        parameters: { username: s3.accessKeyId, password: s3.secretAccessKey, region: s3.region },
      };
      const inputs = { source: 's3', s3Connection: 'models', bucket: location.bucket };
      const fetched = await fetchTwice(
        folder,
        { ...inputs, model: 'risk/credit', versionPolicy: 'latestSemver' },
        [connection],
      );
      await holdsVersion(fetched, '1.10.0');
      assert.ok(!fetched.log.includes(s3.secretAccessKey));
    }));

  it('from a web server, by its index', () =>
    withFolder(async (folder) => {
      await nginx.put('1.10.0/weights.bin', weights);
      await nginx.put('1.10.0/labels.txt', labels);
      const sha256 = createHash('sha256').update(weights).digest('hex');
      const files = [
        { path: 'weights.bin', url: '1.10.0/weights.bin', size: weights.length, sha256 },
        { path: 'sub/labels.txt', url: '1.10.0/labels.txt' },
      ];
      await nginx.put('index.json', JSON.stringify({ versions: [{ version: '1.10.0', files }] }));
      const inputs = { source: 'http', url: nginx.address('index.json'), model: 'credit' };
      await holdsVersion(await fetchTwice(folder, inputs, []), '1.10.0');
    }));

  for (const shape of ['artifact', 'image'] as const) {
    it(`from a registry, as ${shape}`, () =>
      withFolder(async (folder) => {
        const models = modelRepository(registry, shape);
        await models.put('1.9.0', new Map([['weights.bin', Buffer.from('old')]]));
        await models.put(
          '1.10.0',
          new Map([
            ['weights.bin', weights],
            ['sub/labels.txt', labels],
          ]),
        );
        const connection = {
          name: 'registry',
          id: '11111111-2222-4333-8444-555555555502',
          type: 'dockerregistry',
          url: registry.url,
          scheme: 'UsernamePassword',
          parameters: { registry: registry.url, username: registry.username, password: registry.password },
          data: { registrytype: 'Others' },
        };
        const inputs = { source: 'oci', containerRegistry: 'registry', reference: models.repository };
        const fetched = await fetchTwice(
          folder,
          { ...inputs, model: 'credit', versionPolicy: 'latestSemver' },
          [connection],
        );
        await holdsVersion(fetched, '1.10.0');
        assert.ok(!fetched.log.includes(registry.password));
      }));
  }
});
