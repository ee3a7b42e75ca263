import assert from 'node:assert/strict';
import { ensureBaseImage } from '../../local/baseimage/index.ts';
import { copyImage } from '../../local/baseimage/official.ts';
import type { LocalContext } from '../../local/lib/context.ts';
import type { RegistryEndpoint } from '../../local/lib/endpoints.ts';
import { startServices } from '../../local/services/index.ts';
import type { RegistryClientOptions } from '../../src/oci/access.ts';
import { createRegistryClient } from '../../src/oci/client.ts';
import { killService, withOwnServices } from '../support/ownServices.ts';

const platform = { os: 'linux', architecture: process.arch === 'arm64' ? 'arm64' : 'amd64' };
const tag = '3.11-slim-bookworm';

async function startRegistry(context: LocalContext): Promise<RegistryEndpoint> {
  const { registry } = await startServices(context, ['registry']);
  assert.ok(registry);
  return registry;
}

function options(registry: RegistryEndpoint): RegistryClientOptions {
  const signal = AbortSignal.timeout(60_000);
  return { registryUrl: registry.url, credentials: registry, signal, userAgent: 'model-delivery-tests' };
}

describe('base image', function () {
  // The first run on a machine copies or makes the image.
  this.timeout(600_000);

  it('lands under the official name with the configuration that the official image has', () =>
    withOwnServices(async (context) => {
      const registry = await startRegistry(context);
      const image = await ensureBaseImage(context, registry);
      assert.equal(image.reference, `${registry.host}/python:${tag}`);
      const stored = await createRegistryClient(options(registry)).image('python', tag, platform);
      assert.equal(stored.digest, image.digest);
      const environment = stored.config.config?.Env?.join('\n') ?? '';
      assert.match(environment, /^PYTHON_VERSION=3\.11\.\d+$/m);
      assert.match(environment, /^PATH=\/usr\/local\/bin:/m);
      assert.deepEqual(stored.config.config?.Cmd, ['python3']);
    }));

  it('has the same digest in every registry, and a second call finds it', () =>
    withOwnServices((one) =>
      withOwnServices(async (other) => {
        const [registry, second] = [await startRegistry(one), await startRegistry(other)];
        const image = await ensureBaseImage(one, registry);
        assert.deepEqual(await ensureBaseImage(one, registry), image);
        assert.equal((await ensureBaseImage(other, second)).digest, image.digest);
      }),
    ));

  it('is still there when its registry was killed and starts again', () =>
    withOwnServices(async (context) => {
      const image = await ensureBaseImage(context, await startRegistry(context));
      await killService(context, 'registry');
      const registry = await startRegistry(context);
      const found = await createRegistryClient(options(registry)).findManifest('python', tag);
      assert.equal(found?.digest, image.digest);
    }));

  it('is copied from another registry byte for byte', () =>
    withOwnServices((one) =>
      withOwnServices(async (other) => {
        const [registry, second] = [await startRegistry(one), await startRegistry(other)];
        const image = await ensureBaseImage(one, registry);
        const target = createRegistryClient({ ...options(second), pushTo: 'imported' });
        const source = { registry: options(registry), repository: 'python', tag, platform };
        assert.equal(await copyImage(source, target, 'imported'), image.digest);
        const stored = await target.image('imported', tag, platform);
        assert.equal(stored.digest, image.digest);
        for (const { digest } of stored.manifest.layers) assert.ok(await target.hasBlob('imported', digest));
      }),
    ));
});
