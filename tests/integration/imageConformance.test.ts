import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { RegistryEndpoint } from '../../local/lib/endpoints.ts';
import { ensureSystemPackages } from '../../local/services/packages.ts';
import { digestOf } from '../../src/oci/documents.ts';
import { pushDockerBase } from '../support/dockerBase.ts';
import { withFolder } from '../support/folder.ts';
import { baseImage, runBuild } from '../support/image.ts';
import { services, testContext } from '../support/services.ts';
import { signedIn, validateImage } from '../support/validator.ts';
import { registryClient } from '../support/webImage.ts';

const long = `${'a-folder-with-a-rather-long-name/'.repeat(4)}Größe.txt`;

describe('An image, judged by the tools of others', function () {
  this.timeout(600_000);
  let registry: RegistryEndpoint;
  let base: string;

  before(async () => {
    await ensureSystemPackages(await testContext(), [
      { name: 'skopeo', purpose: 'the tests of images, as one of the tools that pull them' },
    ]);
    registry = (await services('registry')).registry;
    base = (await baseImage(registry)).reference;
  });

  const withImage = (
    inputs: Readonly<Record<string, string>>,
    check: (built: { folder: string; image: string; repository: string; weights: Buffer }) => Promise<void>,
  ): Promise<void> =>
    withFolder(async (folder) => {
      const weights = randomBytes(3_000_001);
      await mkdir(join(folder, 'app', long, '..'), { recursive: true });
      await mkdir(join(folder, 'model'));
      await writeFile(join(folder, 'app', 'app.py'), 'print(1)\n');
      await writeFile(join(folder, 'app', long), 'grün\n');
      await writeFile(join(folder, 'model', 'weights.bin'), weights);
      const repository = `conformance/${randomBytes(6).toString('hex')}`;
      const common = { repository, appFolder: 'app', modelFolder: join(folder, 'model'), baseImage: base };
      const said = await runBuild({ registry, folder, inputs: { ...common, ...inputs } });
      await check({ folder, repository, weights, image: String(said.outputs.get('image')) });
    });

  it("follows the specification's schemas, and every byte is what its digests say", async () => {
    await withImage({}, async ({ folder, image, repository, weights }) => {
      const files = await validateImage(image, registry, folder);
      const sha256 = digestOf(weights).slice(7);
      assert.equal(files.get('app/model/weights.bin'), sha256);
      assert.equal(files.get(`app/${long}`), digestOf('grün\n').slice(7));
      const tags = await registryClient(registry, repository).listTags(repository);
      const model = tags.find((tag) => tag.startsWith('model-')) ?? '';
      const modelFiles = await validateImage(`${registry.host}/${repository}:${model}`, registry, folder);
      assert.deepEqual([...modelFiles], [['app/model/weights.bin', sha256]]);
    });
  });

  it('is right for several platforms on a base of the other family of media types', async () => {
    await pushDockerBase(registryClient(registry, 'bases/two'), 'bases/two');
    const inputs = { baseImage: `${registry.host}/bases/two:1`, platforms: 'linux/amd64\nlinux/arm64' };
    await withImage(inputs, async ({ folder, image, weights }) => {
      const files = await validateImage(image, registry, folder);
      assert.equal(files.get('app/model/weights.bin'), digestOf(weights).slice(7));
    });
  });

  it('is copied by skopeo with the same digest and the same bytes', async () => {
    await withImage({}, async ({ folder, image, weights }) => {
      const env = await signedIn(folder, registry);
      const layout = join(folder, 'layout');
      const source = ['--src-tls-verify=false', `docker://${image}`, `dir:${layout}`];
      await promisify(execFile)('skopeo', ['copy', '--quiet', '--preserve-digests', ...source], { env });
      const manifest = await readFile(join(layout, 'manifest.json'));
      assert.equal(digestOf(manifest), image.slice(image.indexOf('@') + 1));
      const { layers } = JSON.parse(manifest.toString('utf8'));
      for (const { digest } of layers) {
        assert.equal(digestOf(await readFile(join(layout, digest.slice(7)))), digest);
      }
      const held = await Promise.all(
        layers.map(({ digest }: { digest: string }) => readFile(join(layout, digest.slice(7)))),
      );
      assert.ok(held.some((content: Buffer) => content.includes(weights)));
    });
  });

  it('has the same files when its layers are compressed, as skopeo unpacks them, and its model is found again', async () => {
    await withImage({ layerCompression: 'gzip' }, async ({ folder, image, repository, weights }) => {
      const files = await validateImage(image, registry, folder);
      assert.equal(files.get('app/model/weights.bin'), digestOf(weights).slice(7));
      assert.equal(files.get(`app/${long}`), digestOf('grün\n').slice(7));

      const env = await signedIn(folder, registry);
      const layout = join(folder, 'layout');
      const source = ['--src-tls-verify=false', `docker://${image}`, `dir:${layout}`];
      await promisify(execFile)('skopeo', ['copy', '--quiet', '--dest-decompress', ...source], { env });
      const manifest = JSON.parse(await readFile(join(layout, 'manifest.json'), 'utf8'));
      const config = JSON.parse(await readFile(join(layout, manifest.config.digest.slice(7)), 'utf8'));
      const digests = manifest.layers.map(({ digest }: { digest: string }) => digest);
      assert.deepEqual(digests, config.rootfs.diff_ids);

      const inputs = { repository, appFolder: 'app', modelFolder: join(folder, 'model'), baseImage: base };
      const again = await runBuild({ registry, folder, inputs: { ...inputs, layerCompression: 'gzip' } });
      assert.equal(again.outputs.get('image'), image);
      assert.equal(again.outputs.get('modelLayerReused'), 'true');
      const plain = await runBuild({ registry, folder, inputs });
      assert.equal(plain.outputs.get('modelLayerReused'), 'false');
      assert.notEqual(plain.outputs.get('image'), image);
    });
  });
});
