import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { cp, mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { RegistryEndpoint } from '../../local/lib/endpoints.ts';
import { createLock, writeLock } from '../../src/model/lock.ts';
import { digestOf } from '../../src/oci/documents.ts';
import { withFolder } from '../support/folder.ts';
import { type BuildSettings, baseImage, pull, runBuild } from '../support/image.ts';
import { services } from '../support/services.ts';

const mebibyte = 1024 * 1024;

/** A checkout with an application and a model beside it. */
async function withProject(
  use: (folder: string, inputs: Readonly<Record<string, string>>) => Promise<void>,
): Promise<void> {
  await withFolder(async (folder) => {
    await mkdir(join(folder, 'app', 'static'), { recursive: true });
    await writeFile(join(folder, 'app', 'app.py'), 'print("scoring")\n');
    await writeFile(join(folder, 'app', 'start'), '#!/bin/sh\nexec python3 app.py\n');
    await writeFile(join(folder, 'app', 'static', 'page.html'), '<p>Größe</p>');
    await writeFile(join(folder, 'app', 'notes.txt'), 'not for the image');
    await writeFile(join(folder, 'app', '.dockerignore'), 'notes.txt\n');
    await mkdir(join(folder, 'model', 'labels'), { recursive: true });
    await writeFile(join(folder, 'model', 'weights.bin'), randomBytes(3 * mebibyte));
    await writeFile(join(folder, 'model', 'labels', 'names.txt'), 'cat\ndog\n');
    await use(folder, { appFolder: 'app', modelFolder: join(folder, 'model'), command: 'python3 app.py' });
  });
}

describe('BuildModelImage with the registry engine', function () {
  this.timeout(300_000);
  let registry: RegistryEndpoint;
  let base: string;

  /** New in each run: what an earlier run left must not be found. */
  const repository = (): string => `images/${randomBytes(6).toString('hex')}`;
  const build = (
    folder: string,
    inputs: Readonly<Record<string, string>>,
    more: Partial<BuildSettings> = {},
  ) => runBuild({ registry, folder, inputs: { baseImage: base, ...inputs }, ...more });

  before(async () => {
    registry = (await services('registry')).registry;
    base = (await baseImage(registry)).reference;
  });

  it('pushes base, model and application as one image whose files are those of the folders', async () => {
    await withProject(async (folder, inputs) => {
      const name = repository();
      const environment = 'GREETING=a b=c';
      const said = await build(folder, {
        repository: name,
        ...inputs,
        port: '8080',
        environment,
        tags: '1.0\nstable',
      });
      const baseLayers = (await pull(registry, 'python', base.split(':').at(-1) ?? '', 99)).manifest.layers
        .length;
      const image = await pull(registry, name, 'stable', baseLayers);

      assert.equal(said.outputs.get('image'), `${registry.host}/${name}@${image.digest}`);
      assert.equal(said.outputs.get('imageTags'), '1.0\nstable');
      assert.equal(said.outputs.get('modelLayerReused'), 'false');
      assert.deepEqual(
        [...image.files]
          .filter(([, entry]) => entry.type === 'file')
          .map(([path]) => path)
          .sort(),
        [
          'app/.dockerignore',
          'app/app.py',
          'app/model/labels/names.txt',
          'app/model/weights.bin',
          'app/start',
          'app/static/page.html',
        ],
      );
      assert.equal(image.files.get('app/static/page.html')?.content.toString(), '<p>Größe</p>');
      assert.equal(image.files.get('app/start')?.mode, 0o755);
      assert.equal(image.files.get('app/app.py')?.mode, 0o644);
      assert.equal(image.files.get('app/model/weights.bin')?.mtime, 0);
      const { config } = image.config;
      assert.deepEqual(config?.Cmd, ['python3', 'app.py']);
      assert.equal(config?.User, '10001');
      assert.equal(config?.WorkingDir, '/app');
      assert.deepEqual(Object.keys(config?.ExposedPorts ?? {}), ['8080/tcp']);
      assert.ok(config?.Env?.includes('GREETING=a b=c'));
      assert.ok(config?.Env?.includes('MODEL_PATH=/app/model'));
      assert.ok(config?.Env?.includes('MODEL_NAME=model'));
      const kinds = image.manifest.layers.map((layer) => layer.annotations?.['dev.model-delivery.layer']);
      assert.deepEqual(kinds.slice(baseLayers), ['model', 'application']);
      assert.equal(image.config.rootfs.diff_ids.length, image.manifest.layers.length);
      const entries = image.config.history?.filter((entry) => entry.empty_layer !== true) ?? [];
      assert.equal(entries.length, image.manifest.layers.length);
      const record = JSON.parse(said.attachments.get('image-' + image.digest.slice(7, 19)) ?? '{}');
      assert.equal(record.digest, image.digest);
    });
  });

  it('uploads nothing for the same inputs, and gives the same digest its new tag', async () => {
    await withProject(async (folder, inputs) => {
      const name = repository();
      const first = await build(folder, { repository: name, ...inputs });
      const again = await build(folder, { repository: name, ...inputs, tags: 'later' });
      assert.equal(again.outputs.get('imageDigest'), first.outputs.get('imageDigest'));
      assert.equal(again.outputs.get('bytesUploaded'), '0');
      assert.equal(again.outputs.get('modelLayerReused'), 'true');
      assert.equal((await pull(registry, name, 'later', 99)).digest, first.outputs.get('imageDigest'));
    });
  });

  it('uploads only the small layer when a line of the application changed', async () => {
    await withProject(async (folder, inputs) => {
      const name = repository();
      const first = await build(folder, { repository: name, ...inputs });
      await writeFile(join(folder, 'app', 'app.py'), 'print("better")\n');
      const second = await build(folder, { repository: name, ...inputs });
      assert.notEqual(second.outputs.get('imageDigest'), first.outputs.get('imageDigest'));
      assert.equal(second.outputs.get('modelLayerReused'), 'true');
      assert.ok(Number(second.outputs.get('bytesUploaded')) < 20_000);
    });
  });

  it('gives one digest for equal files in other folders and repositories', async () => {
    await withProject(async (folder, inputs) => {
      await withFolder(async (other) => {
        for (const part of ['app', 'model'])
          await cp(join(folder, part), join(other, part), { recursive: true });
        const variables = { SOURCE_DATE_EPOCH: '1767225600' };
        const first = await build(folder, { repository: repository(), ...inputs }, { variables });
        const elsewhere = { ...inputs, modelFolder: join(other, 'model') };
        const second = await build(other, { repository: repository(), ...elsewhere }, { variables });
        assert.equal(second.outputs.get('imageDigest'), first.outputs.get('imageDigest'));
      });
    });
  });

  it('finds a locked model by its fingerprint when its files are not there any more', async () => {
    await withProject(async (folder, inputs) => {
      const content = randomBytes(200_000);
      const file = { path: 'w.bin', name: 'scorer/1/w.bin', size: content.byteLength, etag: '"1"' };
      const sha256 = digestOf(content).slice(7);
      const source = { type: 'azureBlob' as const, url: 'https://example.blob.core.windows.net/models' };
      const lock = createLock({ name: 'scorer', version: '1', source, files: [{ ...file, sha256 }] });
      const model = join(folder, 'fetched');
      await mkdir(model);
      await writeFile(join(model, 'w.bin'), content);
      await writeLock(join(model, 'model.lock.json'), lock);
      const wanted = {
        appFolder: 'app',
        modelLock: join(model, 'model.lock.json'),
        repository: repository(),
      };
      await build(folder, wanted);
      await rm(join(model, 'w.bin'));
      const again = await build(folder, { ...wanted, command: String(inputs['command']) });
      assert.equal(again.outputs.get('modelLayerReused'), 'true');
      assert.ok(Number(again.outputs.get('bytesUploaded')) < 20_000);
    });
  });

  it('refuses a model that is not the locked one, and leaves no tag', async () => {
    await withProject(async (folder) => {
      const name = repository();
      const file = { path: 'weights.bin', name: 'm/1/weights.bin', size: 3 * mebibyte, etag: '"1"' };
      const source = { type: 'azureBlob' as const, url: 'https://example.blob.core.windows.net/models' };
      const files = [{ ...file, sha256: '0'.repeat(64) }];
      await writeLock(
        join(folder, 'model', 'model.lock.json'),
        createLock({ name: 'm', version: '1', source, files }),
      );
      const modelLock = join(folder, 'model', 'model.lock.json');
      await assert.rejects(build(folder, { repository: name, appFolder: 'app', modelLock }), {
        code: 'MODEL_CHANGED',
        message: /weights\.bin/,
      });
      await assert.rejects(pull(registry, name, 'test', 99), { code: 'REPOSITORY_NOT_FOUND' });
    });
  });

  it('installs the requirements for the Python of the image, once', async () => {
    await withProject(async (folder, inputs) => {
      await writeFile(
        join(folder, 'requirements.txt'),
        'markupsafe==3.0.2\nitsdangerous==2.2.0\nsix==1.16.0; python_version < "3.0" or sys_platform == "win32"\n',
      );
      const wanted = { repository: repository(), ...inputs, requirements: join(folder, 'requirements.txt') };
      const said = await build(folder, { ...wanted, pythonVersion: '3.12' });
      assert.ok(said.lines.some((line) => line.includes('pip')));
      const image = await pull(registry, wanted.repository, 'test', 1);
      const paths = [...image.files.keys()];
      assert.ok(
        paths.some((path) => /opt\/python\/markupsafe\/_speedups\.cpython-312-x86_64.*\.so$/.test(path)),
      );
      assert.ok(paths.includes('opt/python/itsdangerous/__init__.py'));
      assert.equal(
        paths.some((path) => path.includes('six') || path.includes('__pycache__')),
        false,
      );
      assert.ok(image.config.config?.Env?.some((line) => line.startsWith('PATH=/opt/python/bin:')));
      assert.ok(image.config.config?.Env?.includes('PYTHONPATH=/opt/python'));
      await writeFile(join(folder, 'app', 'app.py'), 'print("changed")\n');
      const again = await build(folder, { ...wanted, pythonVersion: '3.12' });
      assert.equal(
        again.lines.some((line) => line.includes('pip')),
        false,
      );
    });
  });

  it('shows why pip cannot resolve the requirements', async () => {
    await withProject(async (folder, inputs) => {
      const requirements = join(folder, 'requirements.txt');
      const cases = [
        ['no-such-package-model-delivery==9.9', /no-such-package-model-delivery/],
        [`markupsafe==3.0.2 --hash=sha256:${'0'.repeat(64)}`, /HASHES/],
      ] as const;
      for (const [line, reason] of cases) {
        await writeFile(requirements, `${line}\n`);
        await assert.rejects(
          build(folder, { repository: repository(), ...inputs, requirements }),
          (error: Error) => {
            assert.equal((error as { code?: string }).code, 'REQUIREMENTS_UNRESOLVED');
            assert.match(String(error.cause), reason);
            return true;
          },
        );
      }
    });
  });

  it('names the nearest base images when there is none of that name', async () => {
    await withProject(async (folder, inputs) => {
      const baseImage = base.replace('python', 'pyton');
      await assert.rejects(build(folder, { repository: repository(), ...inputs, baseImage }), {
        code: 'REPOSITORY_NOT_FOUND',
        remedy: /python/,
      });
    });
  });

  it('says that a password is wrong, and that inputs contradict each other', async () => {
    await withProject(async (folder, inputs) => {
      const wrong = { registry: { ...registry, password: 'wrong-password' } };
      await assert.rejects(build(folder, { repository: repository(), ...inputs }, wrong), {
        code: 'REGISTRY_UNAUTHORIZED',
      });
      const contradiction = {
        repository: repository(),
        ...inputs,
        engine: 'registry',
        dockerfile: 'Dockerfile',
      };
      await assert.rejects(build(folder, contradiction), { code: 'INPUT_INVALID', message: /dockerfile/ });
    });
  });

  it('stops when the task is cancelled and leaves no tag', async () => {
    await withProject(async (folder, inputs) => {
      const name = repository();
      const reason = new Error('cancelled');
      const signal = AbortSignal.abort(reason);
      await assert.rejects(build(folder, { repository: name, ...inputs }, { signal }));
      await assert.rejects(pull(registry, name, 'test', 99), { code: 'REPOSITORY_NOT_FOUND' });
    });
  });
});
