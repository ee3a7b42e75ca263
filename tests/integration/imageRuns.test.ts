import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { withFolder } from '../support/folder.ts';
import { baseImage, runBuild } from '../support/image.ts';
import { services } from '../support/services.ts';

const run = promisify(execFile);

const program = `import hashlib, os, pathlib
import markupsafe, markupsafe._speedups, flask
model = pathlib.Path(os.environ['MODEL_PATH'])
print(hashlib.sha256((model / 'deep' / 'weights.bin').read_bytes()).hexdigest())
print(os.environ['MODEL_VERSION'], os.getuid(), pathlib.Path.cwd())
`;

describe('an image of the registry engine in Docker', function () {
  this.timeout(600_000);

  it('runs with its packages, its commands, its model and its user', async () => {
    const { registry, docker } = await services('registry', 'docker');
    const base = (await baseImage(registry)).reference;
    await withFolder(async (folder) => {
      const weights = randomBytes(1_000_000);
      await mkdir(join(folder, 'app'));
      await mkdir(join(folder, 'client'));
      await mkdir(join(folder, 'model', 'deep'), { recursive: true });
      await writeFile(join(folder, 'model', 'deep', 'weights.bin'), weights);
      await writeFile(join(folder, 'app', 'app.py'), program);
      await writeFile(join(folder, 'requirements.txt'), 'flask==3.0.3\nmarkupsafe==3.0.2\n');
      const said = await runBuild({
        registry,
        folder,
        inputs: {
          repository: `runs/${randomBytes(6).toString('hex')}`,
          baseImage: base,
          appFolder: 'app',
          requirements: join(folder, 'requirements.txt'),
          command: 'python3 app.py',
          modelFolder: join(folder, 'model'),
          modelDestination: '/srv/models/current',
        },
      });
      const auth = Buffer.from(`${registry.username}:${registry.password}`).toString('base64');
      await writeFile(
        join(folder, 'client', 'config.json'),
        JSON.stringify({ auths: { [registry.host]: { auth } } }),
      );
      const image = String(said.outputs.get('image'));
      const inDocker = async (...args: readonly string[]): Promise<string> =>
        (
          await run('docker', [
            '--host',
            docker.socket,
            '--config',
            join(folder, 'client'),
            'run',
            '--rm',
            ...args,
          ])
        ).stdout;
      const sha256 = createHash('sha256').update(weights).digest('hex');
      const [hash, facts] = (await inDocker(image)).split('\n');
      assert.equal(hash, sha256);
      assert.match(String(facts), /^[0-9a-f]{12} 10001 \/app$/);
      assert.match(await inDocker(image, 'flask', '--version'), /Flask 3\.0\.3/);
    });
  });
});
