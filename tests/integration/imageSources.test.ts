import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { mkdir, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { RegistryEndpoint, S3Endpoint } from '../../local/lib/endpoints.ts';
import type { ServiceConnection } from '../../src/host/host.ts';
import { buildModelImage } from '../../tasks/BuildModelImage/run.ts';
import { run as fetchModel } from '../../tasks/FetchModel/run.ts';
import { modelRepository } from '../support/artifacts.ts';
import { newBucket } from '../support/buckets.ts';
import { registryConnection } from '../support/deployment.ts';
import { withFaultProxy } from '../support/faultProxy.ts';
import { withFolder } from '../support/folder.ts';
import { type Recorded, recordingHost } from '../support/host.ts';
import { baseImage, pull } from '../support/image.ts';
import { mlflowConnection, newMlflowModel } from '../support/mlflow.ts';
import { startNginx } from '../support/nginx.ts';
import { services } from '../support/services.ts';

type Inputs = Readonly<Record<string, string>>;

/** More than one range. */
const weights = randomBytes(20_000_000);

describe('BuildModelImage streams a model that was only resolved', function () {
  this.timeout(300_000);
  let s3: S3Endpoint;
  let registry: RegistryEndpoint;
  let base: string;

  before(async () => {
    ({ s3, registry } = await services('s3', 'registry'));
    base = (await baseImage(registry)).reference;
  });

  /** Resolves by FetchModel, builds by BuildModelImage, and looks at what a container would see. */
  const deliver = (
    source: Inputs,
    model: Inputs,
    connections: readonly ServiceConnection[],
  ): Promise<Recorded> =>
    withFolder(async (folder) => {
      await mkdir(join(folder, 'app'));
      await writeFile(join(folder, 'app', 'app.py'), 'print(1)\n');
      const target = join(folder, 'model');
      const settings = { workingFolder: folder, connections: [...connections, registryConnection(registry)] };
      const chosen = { mode: 'resolve', versionPolicy: 'exact', version: '1.0', targetFolder: target };
      const fetching = recordingHost({ ...settings, inputs: { model: 'scorer', ...chosen, ...source } });
      await fetchModel(fetching.host);
      const repository = `sources/${randomBytes(6).toString('hex')}`;
      const inputs = {
        ...{ containerRegistry: 'registry', repository, tags: 'test', appFolder: 'app', baseImage: base },
        ...{ modelLock: String(fetching.said.outputs.get('modelLock')), ...model },
      };
      const building = recordingHost({ ...settings, inputs });
      await buildModelImage(building.host);
      const image = await pull(registry, repository, 'test', 1);
      assert.equal(image.files.get('app/model/weights.bin')?.content.equals(weights), true);
      assert.equal(image.files.get('app/model/sub/labels.txt')?.content.toString(), 'a\nb\n');
      assert.deepEqual(await readdir(target), ['model.lock.json']);
      return building.said;
    });

  it('from S3, by a service connection of its type', async () => {
    const bucket = await newBucket(s3);
    await bucket.put('scorer/1.0/weights.bin', weights);
    await bucket.put('scorer/1.0/sub/labels.txt', 'a\nb\n');
    const connection = {
      ...{ id: 'bucket', url: s3.url, scheme: 'UsernamePassword', data: { region: s3.region } },
      parameters: { username: s3.accessKeyId, password: s3.secretAccessKey },
    };
    const source = { source: 's3', s3Connection: 'bucket', bucket: bucket.location.bucket };
    const said = await deliver(source, { modelS3Connection: 'bucket' }, [connection]);
    assert.ok(said.secrets.includes(s3.secretAccessKey));
  });

  it('from a web server, each file by one request that is read on where it broke', async () => {
    const nginx = await startNginx();
    try {
      await nginx.put('1.0/weights.bin', weights);
      await nginx.put('1.0/labels.txt', 'a\nb\n');
      const files = [
        { path: 'weights.bin', url: '1.0/weights.bin' },
        { path: 'sub/labels.txt', url: '1.0/labels.txt' },
      ];
      await nginx.put('index.json', JSON.stringify({ versions: [{ version: '1.0', files }] }));
      let faults = 1;
      await withFaultProxy(
        nginx.url,
        ({ path, headers }) =>
          path.endsWith('weights.bin') && headers['range'] !== 'bytes=0-0' && faults-- > 0
            ? { kind: 'reset', afterBytes: 5_000_000 }
            : undefined,
        async ({ url, seen }) => {
          const address = `${url}/index.json`;
          await deliver({ source: 'http', url: address }, { modelAuthentication: 'anonymous' }, []);
          const reads = seen.filter(
            ({ path, headers }) => path.endsWith('weights.bin') && headers['range'] !== 'bytes=0-0',
          );
          assert.deepEqual(
            reads.map(({ headers }) => /^bytes=[1-9]\d*-19999999$/.test(headers['range'] ?? '')),
            [false, true],
          );
        },
      );
    } finally {
      await nginx.close();
    }
  });

  it('from MLflow, by the version that its tag names', async () => {
    const { mlflow } = await services('mlflow');
    const model = await newMlflowModel(mlflow);
    await model.put('1.0', 'weights.bin', weights);
    await model.put('1.0', 'sub/labels.txt', 'a\nb\n');
    const connection = mlflowConnection(mlflow);
    const named = { modelServerConnection: connection.id };
    const source = { source: 'mlflow', model: model.name, versionTag: 'release', ...named };
    const said = await deliver(source, named, [connection]);
    assert.ok(said.secrets.includes(mlflow.password));
  });

  it('from another repository of the registry that the image goes to', async () => {
    const models = modelRepository(registry, 'artifact');
    const files = new Map<string, Uint8Array>([
      ['weights.bin', weights],
      ['sub/labels.txt', Buffer.from('a\nb\n')],
    ]);
    await models.put('1.0', files);
    const reference = `${registry.host}/${models.repository}`;
    const source = { source: 'oci', reference, containerRegistry: 'registry' };
    await deliver(source, { modelAuthentication: 'serviceConnection' }, []);
  });
});
