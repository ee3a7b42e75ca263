import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { RegistryEndpoint } from '../../local/lib/endpoints.ts';
import { withFolder } from '../support/folder.ts';
import { baseImage, pull, runBuild } from '../support/image.ts';
import { services } from '../support/services.ts';

const run = promisify(execFile);

async function writeProject(folder: string, dockerfile: readonly string[]): Promise<Buffer> {
  const weights = randomBytes(2_000_000);
  await mkdir(join(folder, 'app'));
  await mkdir(join(folder, 'model'));
  await writeFile(join(folder, 'model', 'weights.bin'), weights);
  await writeFile(join(folder, 'app', 'app.py'), 'print("scoring")\n');
  await writeFile(join(folder, 'app', 'secret.txt'), 'not for the engine');
  await writeFile(join(folder, 'app', '.dockerignore'), 'secret.txt\nDockerfile\n');
  await writeFile(join(folder, 'app', 'Dockerfile'), `${dockerfile.join('\n')}\n`);
  return weights;
}

describe('BuildModelImage with a Docker engine', function () {
  this.timeout(600_000);
  let registry: RegistryEndpoint;
  let socket: string;
  let base: string;
  const callersHost = process.env['DOCKER_HOST'];

  const repository = (): string => `docker/${randomBytes(6).toString('hex')}`;
  const build = (folder: string, inputs: Readonly<Record<string, string>>) =>
    runBuild({
      registry,
      folder,
      inputs: {
        dockerfile: join(folder, 'app', 'Dockerfile'),
        modelFolder: join(folder, 'model'),
        ...inputs,
      },
    });

  before(async () => {
    const started = await services('registry', 'docker');
    registry = started.registry;
    socket = started.docker.socket;
    base = (await baseImage(registry)).reference;
    process.env['DOCKER_HOST'] = socket;
  });

  after(() => {
    if (callersHost === undefined) delete process.env['DOCKER_HOST'];
    else process.env['DOCKER_HOST'] = callersHost;
  });

  const dockerfile = (...steps: readonly string[]): readonly string[] => [
    'ARG BASE',
    'FROM ${BASE}',
    'WORKDIR /app',
    "RUN python3 -c \"open('/made', 'w').write('by a step')\"",
    'COPY . .',
    'CMD ["python3", "app.py"]',
    ...steps,
  ];

  it("takes the Dockerfile's layers and puts the model below them; the image runs and has the same files", async () => {
    await withFolder(async (folder) => {
      const weights = await writeProject(folder, dockerfile());
      const name = repository();
      const said = await build(folder, { repository: name, buildArguments: `BASE=${base}` });
      const image = await pull(registry, name, 'test', 1);
      const kinds = image.manifest.layers.map((layer) => layer.annotations?.['dev.model-delivery.layer']);
      assert.equal(kinds[0], undefined);
      assert.equal(kinds[1], 'model');
      assert.ok(kinds.slice(2).every((kind) => kind === 'application'));
      assert.equal(image.files.get('made')?.content.toString(), 'by a step');
      assert.ok(image.files.has('app/app.py'));
      assert.equal(image.files.has('app/secret.txt'), false);
      assert.equal(image.files.get('app/model/weights.bin')?.content.equals(weights), true);
      assert.ok(said.lines.some((line) => line.includes('COPY . .')));

      const docker = (...args: readonly string[]) =>
        run('docker', ['--host', socket, '--config', join(folder, 'client'), ...args]);
      await mkdir(join(folder, 'client'));
      const pair = Buffer.from(`${registry.username}:${registry.password}`).toString('base64');
      const auths = { [registry.host]: { auth: pair } };
      await writeFile(join(folder, 'client', 'config.json'), JSON.stringify({ auths }));
      const reference = String(said.outputs.get('image'));
      assert.equal((await docker('run', '--rm', reference)).stdout, 'scoring\n');
      const hash =
        'import hashlib,os;print(hashlib.sha256(open(os.environ["MODEL_PATH"]+"/weights.bin","rb").read()).hexdigest())';
      const { stdout } = await docker('run', '--rm', reference, 'python3', '-c', hash);
      assert.equal(stdout.trim(), createHash('sha256').update(weights).digest('hex'));
    });
  });

  it('uploads nothing again, and kilobytes after a change of the application', async () => {
    await withFolder(async (folder) => {
      await writeProject(folder, dockerfile());
      const inputs = { repository: repository(), buildArguments: `BASE=${base}` };
      const first = await build(folder, inputs);
      const same = await build(folder, inputs);
      assert.equal(same.outputs.get('imageDigest'), first.outputs.get('imageDigest'));
      assert.equal(same.outputs.get('bytesUploaded'), '0');
      await writeFile(join(folder, 'app', 'app.py'), 'print("better")\n');
      const changed = await build(folder, inputs);
      assert.notEqual(changed.outputs.get('imageDigest'), first.outputs.get('imageDigest'));
      assert.ok(Number(changed.outputs.get('bytesUploaded')) < 100_000);
      assert.equal(changed.outputs.get('modelLayerReused'), 'true');
    });
  });

  it('leaves one image a repository in the engine, as its cache', async () => {
    await withFolder(async (folder) => {
      await writeProject(folder, dockerfile(`LABEL unique=${randomBytes(6).toString('hex')}`));
      const inputs = { repository: repository(), buildArguments: `BASE=${base}` };
      const docker = (...args: readonly string[]) => run('docker', ['--host', socket, ...args]);
      const cached = async (): Promise<string> =>
        (await docker('images', '--quiet', `model-delivery-cache/${inputs.repository}`)).stdout.trim();
      await build(folder, inputs);
      const first = await cached();
      await writeFile(join(folder, 'app', 'app.py'), 'print("other")\n');
      await build(folder, inputs);
      assert.match(await cached(), /^[0-9a-f]+$/);
      await assert.rejects(docker('image', 'inspect', first), /No such image/);
    });
  });

  it('shows the step that failed', async () => {
    await withFolder(async (folder) => {
      await writeProject(folder, dockerfile('RUN python3 -c "raise SystemExit(3)"'));
      const inputs = { repository: repository(), buildArguments: `BASE=${base}` };
      await assert.rejects(build(folder, inputs), {
        code: 'DOCKERFILE_FAILED',
        message: /RUN python3 -c "raise SystemExit\(3\)"/,
      });
    });
  });

  it('says where it looked for the engine when none answers', async () => {
    await withFolder(async (folder) => {
      await writeProject(folder, dockerfile());
      process.env['DOCKER_HOST'] = `unix://${join(folder, 'none.sock')}`;
      try {
        await assert.rejects(build(folder, { repository: repository(), engine: 'docker' }), {
          code: 'ENGINE_UNREACHABLE',
          message: /none\.sock/,
        });
      } finally {
        process.env['DOCKER_HOST'] = socket;
      }
    });
  });
});
