import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { RegistryEndpoint, StorageEndpoint } from '../../local/lib/endpoints.ts';
import { newContainer, publish, publisher } from '../support/blobs.ts';
import { withFaultProxy } from '../support/faultProxy.ts';
import { fetchModel, keyInputs } from '../support/fetch.ts';
import { withFolder } from '../support/folder.ts';
import { baseImage, pull, runBuild } from '../support/image.ts';
import { services } from '../support/services.ts';

const mebibyte = 1024 * 1024;

describe('BuildModelImage with a model that was only resolved', function () {
  this.timeout(300_000);
  let registry: RegistryEndpoint;
  let storage: StorageEndpoint;
  let base: string;

  before(async () => {
    const started = await services('registry', 'storage');
    registry = started.registry;
    storage = started.storage;
    base = (await baseImage(registry)).reference;
  });

  const resolved = async (
    blobEndpoint: string,
    content: Buffer,
    use: (folder: string, inputs: Readonly<Record<string, string>>) => Promise<void>,
  ): Promise<void> => {
    await withFolder(async (folder) => {
      const container = await newContainer(storage);
      await publish(container, { 'scorer/1.0/weights.bin': content, 'scorer/1.0/labels.txt': 'a\nb\n' });
      await mkdir(join(folder, 'app'));
      await writeFile(join(folder, 'app', 'app.py'), 'print(1)\n');
      const target = join(folder, 'model');
      const source = { ...storage, blobEndpoint };
      const fetched = await fetchModel({
        ...keyInputs(source, container.containerName, target),
        model: 'scorer',
        mode: 'resolve',
      });
      await use(folder, {
        repository: `streamed/${randomBytes(6).toString('hex')}`,
        appFolder: 'app',
        baseImage: base,
        modelLock: String(fetched.outputs.get('modelLock')),
      });
    });
  };

  it('streams it from its source into the registry, and never onto the agent', async () => {
    const content = randomBytes(5 * mebibyte);
    await resolved(storage.blobEndpoint, content, async (folder, inputs) => {
      const withKey = { ...inputs, modelAuthentication: 'accountKey', modelAccountKey: storage.accountKey };
      const said = await runBuild({ registry, folder, inputs: withKey });
      const image = await pull(registry, String(inputs['repository']), 'test', 1);
      assert.equal(image.files.get('app/model/weights.bin')?.content.equals(content), true);
      assert.equal(image.files.get('app/model/labels.txt')?.content.toString(), 'a\nb\n');
      assert.ok(said.secrets.includes(storage.accountKey));
      assert.match(
        String(image.config.config?.Env?.find((line) => line.startsWith('MODEL_DIGEST='))),
        /sha256:[0-9a-f]{64}$/,
      );
      assert.deepEqual(await readdir(join(folder, 'model')), ['model.lock.json']);
      const again = await runBuild({ registry, folder, inputs });
      assert.equal(again.outputs.get('modelLayerReused'), 'true');
      assert.equal(again.outputs.get('imageDigest'), said.outputs.get('imageDigest'));
    });
  });

  it('reads on where the connection to the source broke', async () => {
    const content = randomBytes(40 * mebibyte);
    let faults = 2;
    const rule = ({ method, path }: { method: string; path: string }) =>
      method === 'GET' && path.endsWith('weights.bin') && faults-- > 0
        ? { kind: 'reset' as const, afterBytes: mebibyte }
        : undefined;
    await withFaultProxy(storage.blobEndpoint, rule, async ({ url }) => {
      await resolved(url, content, async (folder, inputs) => {
        const withKey = { ...inputs, modelAuthentication: 'accountKey', modelAccountKey: storage.accountKey };
        await runBuild({ registry, folder, inputs: withKey });
        const image = await pull(registry, String(inputs['repository']), 'test', 1);
        assert.equal(image.files.get('app/model/weights.bin')?.content.equals(content), true);
        assert.ok(faults < 0);
      });
    });
  });

  it('says what is missing when neither files nor a credential are there', async () => {
    await resolved(storage.blobEndpoint, randomBytes(1000), async (folder, inputs) => {
      await assert.rejects(runBuild({ registry, folder, inputs }), {
        code: 'MODEL_FILES_MISSING',
        remedy: /modelAuthentication/,
      });
      await assert.rejects(pull(registry, String(inputs['repository']), 'test'), {
        code: 'REPOSITORY_NOT_FOUND',
      });
    });
  });

  it('refuses a model that was overwritten after it was resolved', async () => {
    await resolved(storage.blobEndpoint, randomBytes(1000), async (folder, inputs) => {
      const lock = String(inputs['modelLock']);
      const { source, files } = JSON.parse(await readFile(lock, 'utf8'));
      const containerName = String(source.url).split('/').at(-1) ?? '';

      const container = publisher(storage).getContainerClient(containerName);
      await publish(container, { [files[1].name]: randomBytes(1000) });
      const withKey = { ...inputs, modelAuthentication: 'accountKey', modelAccountKey: storage.accountKey };
      await assert.rejects(runBuild({ registry, folder, inputs: withKey }), { code: 'MODEL_CHANGED' });
    });
  });
});
