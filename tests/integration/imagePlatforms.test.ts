import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { RegistryEndpoint } from '../../local/lib/endpoints.ts';
import { startServices } from '../../local/services/index.ts';
import { chooseImage } from '../../src/kube/image/newest.ts';
import { mediaTypes } from '../../src/oci/types.ts';
import { buildModelImage } from '../../tasks/BuildModelImage/run.ts';
import { registryConnection } from '../support/deployment.ts';
import { pushDockerBase } from '../support/dockerBase.ts';
import { withFolder } from '../support/folder.ts';
import { type Recorded, recordingHost } from '../support/host.ts';
import { withOwnServices } from '../support/ownServices.ts';
import { services } from '../support/services.ts';
import { registryClient } from '../support/webImage.ts';

type Inputs = Readonly<Record<string, string>>;

describe('BuildModelImage for several platforms', function () {
  this.timeout(300_000);
  let registry: RegistryEndpoint;

  before(async () => {
    registry = (await services('registry')).registry;
  });

  const withProject = (
    use: (
      build: (inputs: Inputs, others?: readonly RegistryEndpoint[]) => Promise<Recorded>,
    ) => Promise<void>,
  ): Promise<void> =>
    withFolder(async (folder) => {
      await mkdir(join(folder, 'app'));
      await mkdir(join(folder, 'model'));
      await writeFile(join(folder, 'app', 'app.py'), 'print(1)\n');
      await writeFile(join(folder, 'model', 'weights.bin'), randomBytes(100_000));
      await writeFile(join(folder, 'requirements.txt'), 'markupsafe==3.0.2\n');
      await use(async (inputs, others = []) => {
        const connections = [
          registryConnection(registry),
          ...others.map((other, index) => ({ ...registryConnection(other), id: `other-${index}` })),
        ];
        const all = {
          ...{
            containerRegistry: 'registry',
            tags: 'test',
            appFolder: 'app',
            platforms: 'linux/amd64, linux/arm64',
          },
          ...{ modelFolder: join(folder, 'model'), ...inputs },
        };
        const { host, said } = recordingHost({ workingFolder: folder, inputs: all, connections });
        await buildModelImage(host);
        return said;
      });
    });

  it('pushes an index that leads each node to its own packages and all of them to the same model', async () => {
    await withProject(async (build) => {
      const repository = `platforms/${randomBytes(6).toString('hex')}`;
      const client = registryClient(registry, repository);
      await pushDockerBase(registryClient(registry, 'bases/two'), 'bases/two');
      const inputs = {
        ...{ repository, baseImage: `${registry.host}/bases/two:1`, requirements: 'requirements.txt' },
        sbom: 'true',
      };
      const said = await build(inputs);
      const stored = await client.manifest(repository, 'test');
      assert.ok(stored.kind === 'index');
      assert.equal(stored.mediaType, mediaTypes.index);
      assert.equal(said.outputs.get('imageDigest'), stored.digest);
      const images = await Promise.all(
        ['amd64', 'arm64'].map((architecture) =>
          client.image(repository, 'test', { os: 'linux', architecture }),
        ),
      );
      assert.deepEqual(
        images.map(({ digest }) => digest),
        stored.index.manifests.map(({ digest }) => digest),
      );
      const [one, other] = images.map(({ manifest }) => manifest.layers);
      assert.deepEqual(
        one?.map(({ mediaType }) => mediaType),
        [
          mediaTypes.layerGzip,
          mediaTypes.layerZstd,
          mediaTypes.layerGzip,
          mediaTypes.layer,
          mediaTypes.layer,
        ],
      );
      assert.deepEqual(
        one?.map(({ digest }, index) => digest === other?.[index]?.digest),
        [true, true, false, true, true],
      );
      assert.deepEqual(
        images.map(({ config }) => config.config?.Env?.find((line) => line.startsWith('CPU='))),
        ['CPU=amd64', 'CPU=arm64'],
      );
      for (const { digest } of [stored, ...images]) {
        const types = (await client.referrers(repository, digest)).map((entry) => entry.artifactType);
        assert.deepEqual(types, ['application/vnd.cyclonedx+json']);
      }
      const { chosen } = await chooseImage(client, repository, { by: 'newest' });
      assert.equal(chosen.digest, stored.digest);
      assert.match(chosen.model.digest ?? '', /^sha256:/);

      const again = await build(inputs);
      assert.equal(again.outputs.get('imageDigest'), stored.digest);
      assert.equal(again.outputs.get('bytesUploaded'), '0');
      const single = await build({ ...inputs, platforms: '', platform: 'linux/arm64', tags: 'arm' });
      assert.equal(single.outputs.get('modelLayerReused'), 'true');
    });
  });

  it('streams a base image from another registry by the credentials of its own connection', () =>
    withOwnServices(async (context) => {
      const other = (await startServices(context, ['registry'])).registry;
      assert.ok(other);
      await pushDockerBase(registryClient(other, 'private/base'), 'private/base');
      await withProject(async (build) => {
        const repository = `platforms/${randomBytes(6).toString('hex')}`;
        const baseImage = `${other.host}/private/base:1`;
        const wrong = { ...other, password: 'wrong' };
        await assert.rejects(build({ repository, baseImage, baseRegistry: 'other-0' }, [wrong]), {
          code: 'REGISTRY_UNAUTHORIZED',
        });
        await assert.rejects(build({ repository, baseImage, baseRegistry: 'registry' }), {
          code: 'INPUT_INVALID',
        });
        await build({ repository, baseImage, baseRegistry: 'other-0' }, [other]);
        const client = registryClient(registry, repository);
        const image = await client.image(repository, 'test', { os: 'linux', architecture: 'arm64' });
        for (const { digest } of image.manifest.layers) assert.ok(await client.hasBlob(repository, digest));
      });
    }));

  it('names the platforms of a base image that lacks one, and pushes nothing', async () => {
    await withProject(async (build) => {
      await pushDockerBase(registryClient(registry, 'bases/two'), 'bases/two');
      const repository = `platforms/${randomBytes(6).toString('hex')}`;
      const inputs = {
        repository,
        baseImage: `${registry.host}/bases/two:1`,
        platforms: 'linux/amd64\nlinux/s390x',
      };
      await assert.rejects(build(inputs), {
        code: 'PLATFORM_NOT_FOUND',
        message: /linux\/s390x.*linux\/arm64/,
      });
      const stored = await registryClient(registry, repository).findManifest(repository, 'test');
      assert.equal(stored, undefined);
    });
  });
});
