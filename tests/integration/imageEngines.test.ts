import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { mkdir, readdir, symlink, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { BuildkitEndpoint, RegistryEndpoint } from '../../local/lib/endpoints.ts';
import { buildahPackage, ensureSystemPackages } from '../../local/services/packages.ts';
import { withFolder } from '../support/folder.ts';
import { baseImage, buildWith, pull } from '../support/image.ts';
import { services, testContext } from '../support/services.ts';

describe('BuildModelImage with other engines than Docker', function () {
  this.timeout(600_000);
  let registry: RegistryEndpoint;
  let buildkit: BuildkitEndpoint;
  let base: string;

  before(async () => {
    await ensureSystemPackages(await testContext(), [buildahPackage]);
    ({ registry, buildkit } = await services('registry', 'buildkit'));
    base = (await baseImage(registry)).reference;
  });

  const repository = (): string => `engines/${randomBytes(6).toString('hex')}`;

  async function writeProject(folder: string, dockerfile: readonly string[]): Promise<void> {
    for (const name of ['app', 'model']) await mkdir(join(folder, name));
    await writeFile(join(folder, 'model', 'weights.bin'), randomBytes(100_000));
    await writeFile(join(folder, 'app', 'app.py'), 'print("scoring")\n');
    await writeFile(join(folder, 'app', 'Dockerfile'), `${dockerfile.join('\n')}\n`);
    await writeFile(join(folder, 'token'), 'build-secret-value');
  }

  /** The task as it runs on an agent with these programs and no Docker engine. */
  async function buildOn(
    folder: string,
    environment: Readonly<Record<string, string>>,
    inputs: Readonly<Record<string, string>>,
  ) {
    const run = buildWith({
      registry,
      folder,
      environment: { ...environment, DOCKER_HOST: `unix://${join(folder, 'none.sock')}` },
      inputs: {
        dockerfile: join(folder, 'app', 'Dockerfile'),
        buildArguments: `BASE=${base}`,
        modelFolder: join(folder, 'model'),
        ...inputs,
      },
    });
    await run.done;
    return run.said;
  }

  it('gives BuildKit secrets and a target by TLS with a client certificate; the model lies below the application, the image has the usual shape', async () => {
    await withFolder(async (folder) => {
      await writeProject(folder, [
        ...['ARG BASE', 'FROM ${BASE} AS wanted', 'WORKDIR /app', 'COPY . .'],
        'RUN --mount=type=secret,id=token sha256sum /run/secrets/token > /made',
        ...['FROM wanted AS unwanted', 'RUN touch /unwanted'],
      ]);
      await symlink(buildkit.client, join(folder, 'buildctl'));
      const { tls } = buildkit;
      assert.ok(tls);
      const inputs = {
        ...{ target: 'wanted', buildSecrets: 'token=token' },
        ...{ buildkitAddress: tls.address, buildkitCertificates: tls.certificates },
      };
      const name = repository();
      await assert.rejects(
        buildOn(folder, { PATH: folder }, { ...inputs, buildkitCertificates: '', repository: name }),
        { code: 'ENGINE_UNREACHABLE' },
      );
      const said = await buildOn(folder, { PATH: folder }, { ...inputs, repository: name });
      assert.ok(said.lines.some((line) => line.startsWith('Engine: buildkit, because')));
      const image = await pull(registry, name, 'test', 1);
      const kinds = image.manifest.layers.map((layer) => layer.annotations?.['dev.model-delivery.layer']);
      assert.deepEqual(kinds, [undefined, 'model', 'application', 'application', 'application']);
      assert.match(image.files.get('made')?.content.toString() ?? '', /^[0-9a-f]{64} /);
      assert.equal(image.files.has('unwanted'), false);
      assert.ok(said.lines.every((line) => !line.includes('build-secret-value')));
    });
  });

  it('takes buildah where no Docker engine answers and says why', async () => {
    await withFolder(async (folder) => {
      await writeProject(folder, ['ARG BASE', 'FROM ${BASE}', 'WORKDIR /app', 'COPY . .', 'RUN touch made']);
      const name = repository();
      const environment = { ...process.env, BUILDAH_ISOLATION: 'chroot' };
      const said = await buildOn(folder, environment as Record<string, string>, { repository: name });
      const why = said.lines.find((line) => line.startsWith('Engine: '));
      assert.match(why ?? '', /^Engine: podman, because .*buildah.*none answers at/);
      const image = await pull(registry, name, 'test', 1);
      assert.equal(image.manifest.layers[1]?.annotations?.['dev.model-delivery.layer'], 'model');
      assert.ok(image.files.has('app/made'));
      const left = (await readdir(folder)).filter((entry) => entry.startsWith('image-'));
      assert.deepEqual(left, []);
    });
  });

  it('lists what it looked for where nothing can build a Dockerfile', async () => {
    await withFolder(async (folder) => {
      await writeProject(folder, ['ARG BASE', 'FROM ${BASE}']);
      const environment = { PATH: dirname(join(folder, 'nothing')) };
      await assert.rejects(buildOn(folder, environment, { repository: repository() }), (error: Error) => {
        assert.equal((error as Error & { code?: string }).code, 'ENGINE_MISSING');
        assert.match(String((error.cause as Error).message), /docker: .*none\.sock.*buildkit: .*podman: /);
        return true;
      });
    });
  });
});
