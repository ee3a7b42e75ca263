import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { promisify } from 'node:util';
import { gunzipSync } from 'node:zlib';
import type { BuildkitEndpoint, RegistryEndpoint } from '../../local/lib/endpoints.ts';
import { buildahPackage, ensureSystemPackages } from '../../local/services/packages.ts';
import { readBase } from '../../src/image/base.ts';
import type { BuiltApplication, ImageBuilder } from '../../src/image/builder.ts';
import { engineAddress } from '../../src/image/docker/address.ts';
import { createEngineClient } from '../../src/image/docker/client.ts';
import { createAcrEngine } from '../../src/image/engines/acr.ts';
import type { DockerfileBuild } from '../../src/image/engines/application.ts';
import { createBuildkitEngine } from '../../src/image/engines/buildkit.ts';
import { createDockerEngine } from '../../src/image/engines/docker.ts';
import { createPodmanEngine } from '../../src/image/engines/podman.ts';
import { createRegistryEngine } from '../../src/image/engines/registry.ts';
import { digestOfStream } from '../../src/image/layers/digest.ts';
import type { Layer } from '../../src/image/layers/layer.ts';
import { createRegistryClient } from '../../src/oci/client.ts';
import { parseReference } from '../../src/oci/reference.ts';
import { withFolder } from '../support/folder.ts';
import { baseImage } from '../support/image.ts';
import { startTasksBench, type TasksBench } from '../support/registryTasks.ts';
import { services, testContext } from '../support/services.ts';

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

/** The archives of all these layers, uncompressed. */
async function contentOf(layers: readonly Layer[]): Promise<Buffer> {
  const archives = layers.map(async (layer) => {
    const content = await buffer(bytesOf(layer, 0));
    return layer.mediaType.endsWith('gzip') ? gunzipSync(content) : content;
  });
  return Buffer.concat(await Promise.all(archives));
}

describe('every image builder', function () {
  this.timeout(600_000);
  let registry: RegistryEndpoint;
  let socket: string;
  let buildkit: BuildkitEndpoint;
  let base: string;
  /** Of podman, for all tests, so that the base image is unpacked once. */
  let storage: string;
  let azure: TasksBench;

  before(async () => {
    await ensureSystemPackages(await testContext(), [buildahPackage]);
    const started = await services('registry', 'docker', 'buildkit');
    ({ registry, buildkit } = started);
    socket = started.docker.socket;
    base = (await baseImage(registry)).reference;
    storage = await mkdtemp(join(tmpdir(), 'model-delivery-storage-'));
    azure = await startTasksBench();
  });

  after(async () => {
    await rm(storage, { recursive: true, force: true });
    await azure.close();
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

  const dockerfileBuild = ({ folder, workFolder, signal }: Subject): DockerfileBuild => ({
    dockerfile: join(folder, 'Dockerfile'),
    contextFolder: join(folder, 'app'),
    excluded: join(folder, 'app', 'model'),
    buildArguments: { BASE: base },
    platform,
    logins: async () => ({ [registry.host]: registry }),
    readBase: () => readBaseImage(signal),
    workFolder,
    onLine: () => undefined,
    signal,
  });

  const dockerfileEngines: Readonly<
    Record<
      'docker' | 'buildkit' | 'podman' | 'acr',
      (subject: Subject, build?: DockerfileBuild) => ImageBuilder
    >
  > = {
    docker: (subject, build = dockerfileBuild(subject)) =>
      createDockerEngine({
        ...build,
        engine: createEngineClient(engineAddress({ DOCKER_HOST: socket }, process.platform), build.signal),
        cacheName: `model-delivery-cache/contract-${randomBytes(4).toString('hex')}`,
      }),
    buildkit: (subject, build = dockerfileBuild(subject)) =>
      createBuildkitEngine({
        ...build,
        ...{ program: buildkit.client, address: buildkit.address, environment: process.env },
        ...{ cacheFrom: [], cacheTo: [], secrets: {} },
      }),
    podman: (subject, build = dockerfileBuild(subject)) =>
      createPodmanEngine({
        ...build,
        program: '/usr/bin/buildah',
        storage,
        cacheName: 'model-delivery-cache/contract',
        secrets: {},
        plainHosts: [registry.host],
        // Its steps run without a container runtime, which machines without systemd may refuse.
        environment: { ...process.env, BUILDAH_ISOLATION: 'chroot' },
      }),
    acr: (subject, build = dockerfileBuild(subject)) =>
      createAcrEngine({
        ...build,
        ...{ tasks: azure.tasksOf(build.signal), client: azure.clientOf('contract/app', build.signal) },
        ...{ repository: 'contract/app', stagingTag: 'model-delivery-stage' },
        ...{ timeoutSeconds: 600, pollMs: 50 },
      }),
  };

  const engines: Readonly<Record<string, (subject: Subject) => ImageBuilder>> = {
    registry: ({ folder, signal }) =>
      createRegistryEngine({
        readBase: () => readBaseImage(signal),
        appFolder: join(folder, 'app'),
        excluded: join(folder, 'app', 'model'),
        workingDirectory: '/app',
        platform,
        created: new Date(0),
        signal,
      }),
    ...dockerfileEngines,
  };

  const withSubject = async (use: (subject: Subject) => Promise<void>): Promise<void> => {
    await withFolder(async (folder) => {
      const workFolder = join(folder, 'work');
      for (const name of ['app', 'work']) await mkdir(join(folder, name));
      await writeFile(join(folder, 'app', 'app.py'), 'print(1)\n');
      await mkdir(join(folder, 'app', 'model'));
      await writeFile(join(folder, 'app', 'model', 'weights.bin'), 'large');
      const steps = ['ARG BASE', 'FROM ${BASE}', 'WORKDIR /app', 'COPY . .'];
      await writeFile(join(folder, 'Dockerfile'), steps.join('\n'));
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

      it('gives layers whose bytes are those of their digests and sizes, and none of the model in its context', async () => {
        await withSubject(async (subject) => {
          const built = await create(subject).build();
          assert.ok((await contentOf(built.above)).includes('app/app.py'));
          assert.ok(!(await contentOf(built.above)).includes('weights.bin'));
          for (const layer of built.above) {
            assert.equal(await digestOfStream(bytesOf(layer, 0), subject.signal), layer.digest);
            const offset = Math.min(100, Math.floor(layer.size / 2));
            assert.equal((await buffer(bytesOf(layer, offset))).byteLength, layer.size - offset);
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

  for (const [name, create] of Object.entries(dockerfileEngines)) {
    describe(`${name}, of a Dockerfile`, () => {
      it('runs its steps, and names the line of the one that fails with what it said', async () => {
        await withSubject(async (subject) => {
          const steps = ['ARG BASE', 'FROM ${BASE}', '# why', 'RUN \\', '  echo to-be-seen && exit 3', ''];
          await writeFile(join(subject.folder, 'Dockerfile'), steps.join('\n'));
          const lines: string[] = [];
          const build = { ...dockerfileBuild(subject), onLine: (line: string) => void lines.push(line) };
          await assert.rejects(create(subject, build).build(), {
            code: 'DOCKERFILE_FAILED',
            message: /in line 4: RUN/,
          });
          assert.ok(lines.some((line) => line.includes('to-be-seen') && !line.includes('exit 3')));
        });
      });

      it('writes credentials nowhere but into its work folder', async () => {
        await withSubject(async (subject) => {
          await create(subject).build();
          const entries = await readdir(subject.folder, { recursive: true, withFileTypes: true });
          const kept = entries.filter(
            (entry) => entry.isFile() && !join(entry.parentPath, entry.name).startsWith(subject.workFolder),
          );
          for (const { parentPath, name: file } of kept) {
            const content = await readFile(join(parentPath, file));
            const pair = Buffer.from(`${registry.username}:${registry.password}`).toString('base64');
            assert.ok(!content.includes(pair) && !content.includes(registry.password), file);
          }
        });
      });
    });
  }

  /** What an engine keeps of one build must not answer for the next one. */
  const forget = async (): Promise<void> => {
    await promisify(execFile)(buildkit.client, ['--addr', buildkit.address, 'prune', '--all']);
    await rm(storage, { recursive: true, force: true });
  };

  for (const name of ['buildkit', 'podman'] as const) {
    it(`${name} gives the same layers for the same files at another time, where the time is prescribed`, async () => {
      const build = async (): Promise<readonly string[]> => {
        const found: string[] = [];
        await withSubject(async (subject) => {
          const steps = ['ARG BASE', 'FROM ${BASE}', 'COPY . .', 'RUN echo 1 > /made', ''];
          await writeFile(join(subject.folder, 'Dockerfile'), steps.join('\n'));
          const engine = dockerfileEngines[name](subject, { ...dockerfileBuild(subject), epoch: 1 });
          found.push(...digests((await engine.build()).above));
        });
        return found;
      };
      const first = await build();
      await forget();
      assert.deepEqual(await build(), first);
    });
  }
});
