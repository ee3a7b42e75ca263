import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import type { RegistryEndpoint } from '../../local/lib/endpoints.ts';
import { readBase } from '../../src/image/base.ts';
import type { BuiltApplication, ImageBuilder } from '../../src/image/builder.ts';
import { engineAddress } from '../../src/image/docker/address.ts';
import { createEngineClient } from '../../src/image/docker/client.ts';
import { createDockerEngine } from '../../src/image/engines/docker.ts';
import { createRegistryEngine } from '../../src/image/engines/registry.ts';
import { digestOfStream } from '../../src/image/layers/digest.ts';
import type { Layer } from '../../src/image/layers/layer.ts';
import { createRegistryClient } from '../../src/oci/client.ts';
import { parseReference } from '../../src/oci/reference.ts';
import { withFolder } from '../support/folder.ts';
import { baseImage } from '../support/image.ts';
import { services } from '../support/services.ts';

const platform = { os: 'linux', architecture: 'amd64' };

/** What an engine is made for: the same application, said in its own way. */
interface Subject {
  readonly folder: string;
  readonly workFolder: string;
  readonly signal: AbortSignal;
}

function bytesOf({ source }: Layer, offset: number): AsyncIterable<Uint8Array> {
  assert.equal(source.from, 'bytes');
  return source.from === 'bytes' ? source.open(offset) : assert.fail();
}

describe('every image builder', function () {
  this.timeout(600_000);
  let registry: RegistryEndpoint;
  let socket: string;
  let base: string;

  before(async () => {
    const started = await services('registry', 'docker');
    registry = started.registry;
    socket = started.docker.socket;
    base = (await baseImage(registry)).reference;
  });

  const readBaseImage = (signal: AbortSignal) => {
    const options = {
      registryUrl: registry.url,
      credentials: registry,
      signal,
      userAgent: 'model-delivery-tests',
    };
    return readBase(createRegistryClient(options), parseReference(base), platform, true);
  };

  const engines: Readonly<Record<ImageBuilder['engine'], (subject: Subject) => ImageBuilder>> = {
    registry: ({ folder, signal }) =>
      createRegistryEngine({
        readBase: () => readBaseImage(signal),
        appFolder: join(folder, 'app'),
        workingDirectory: '/app',
        platform,
        created: new Date(0),
        signal,
      }),
    docker: ({ folder, workFolder, signal }) =>
      createDockerEngine({
        engine: createEngineClient(engineAddress({ DOCKER_HOST: socket }, process.platform), signal),
        cacheName: `model-delivery-cache/contract-${randomBytes(4).toString('hex')}`,
        dockerfile: join(folder, 'Dockerfile'),
        contextFolder: join(folder, 'app'),
        buildArguments: {},
        platform,
        credentials: { [registry.host]: registry },
        readBase: () => readBaseImage(signal),
        workFolder,
        onLine: () => undefined,
        signal,
      }),
  };

  const withSubject = async (use: (subject: Subject) => Promise<void>): Promise<void> => {
    await withFolder(async (folder) => {
      const workFolder = join(folder, 'work');
      for (const name of ['app', 'work']) await mkdir(join(folder, name));
      await writeFile(join(folder, 'app', 'app.py'), 'print(1)\n');
      await writeFile(join(folder, 'Dockerfile'), `FROM ${base}\nWORKDIR /app\nCOPY . .\n`);
      await use({ folder, workFolder, signal: new AbortController().signal });
    });
  };

  const digests = (layers: readonly Layer[]): readonly string[] => layers.map((layer) => layer.diffId);

  for (const [name, create] of Object.entries(engines)) {
    describe(name, () => {
      it("puts the base image's own layers below and the application's above", async () => {
        await withSubject(async (subject) => {
          const built = await create(subject).build();
          const found = await readBaseImage(subject.signal);
          assert.deepEqual(digests(built.below), digests(found.layers));
          assert.equal(built.base?.digest, found.digest);
          assert.ok(built.above.length > 0);
          assert.ok(built.above.every((layer) => layer.kind === 'application'));
        });
      });

      it('gives layers whose bytes are those of their digests and sizes', async () => {
        await withSubject(async (subject) => {
          const built = await create(subject).build();
          for (const layer of built.above) {
            assert.equal(await digestOfStream(bytesOf(layer, 0), subject.signal), layer.digest);
            assert.equal((await buffer(bytesOf(layer, 100))).byteLength, layer.size - 100);
          }
        });
      });

      it('tells the history of every layer and the configuration to run them', async () => {
        await withSubject(async (subject) => {
          const built: BuiltApplication = await create(subject).build();
          const entries = built.history.filter((entry) => entry.empty_layer !== true);
          assert.equal(entries.length, built.below.length + built.above.length);
          assert.equal(built.config.config?.WorkingDir, '/app');
          assert.ok(built.config.config?.Env?.some((line) => line.startsWith('PYTHON_VERSION=')));
        });
      });

      it('ends with the reason when it is cancelled', async () => {
        await withSubject(async (subject) => {
          const reason = new Error('cancelled by the test');
          await assert.rejects(create({ ...subject, signal: AbortSignal.abort(reason) }).build(), reason);
        });
      });
    });
  }
});
