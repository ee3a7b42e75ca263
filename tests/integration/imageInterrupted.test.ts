import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes, randomInt } from 'node:crypto';
import { once } from 'node:events';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { repositoryRoot } from '../../local/lib/context.ts';
import type { RegistryEndpoint } from '../../local/lib/endpoints.ts';
import { withFolder } from '../support/folder.ts';
import { baseImage, pull, runBuild } from '../support/image.ts';
import { services } from '../support/services.ts';

const mebibyte = 1024 * 1024;
/** Moments at which a run is killed; imageKilled.test.ts takes as many of its own. */
const kills = Number(process.env['MODEL_DELIVERY_BUILD_KILLS'] ?? 3);

describe('BuildModelImage, interrupted or beside itself', function () {
  this.timeout(300_000);
  let registry: RegistryEndpoint;
  let base: string;

  before(async () => {
    registry = (await services('registry')).registry;
    base = (await baseImage(registry)).reference;
  });

  const withProject = async (
    use: (folder: string, inputs: Readonly<Record<string, string>>, weights: Buffer) => Promise<void>,
  ): Promise<void> => {
    await withFolder(async (folder) => {
      const weights = randomBytes(70 * mebibyte);
      await mkdir(join(folder, 'app'));
      await mkdir(join(folder, 'model'));
      await writeFile(join(folder, 'app', 'app.py'), 'print(1)\n');
      await writeFile(join(folder, 'model', 'weights.bin'), weights);
      await writeFile(join(folder, 'model', 'small.json'), '{}');
      const repository = `interrupted/${randomBytes(6).toString('hex')}`;
      const inputs = { repository, appFolder: 'app', baseImage: base, modelFolder: join(folder, 'model') };
      await use(folder, inputs, weights);
    });
  };

  /** The task in a process of its own, which can be killed. */
  const start = (folder: string, inputs: Readonly<Record<string, string>>): ChildProcess => {
    const support = JSON.stringify(join(repositoryRoot, 'tests/support/image.ts'));
    const settings = JSON.stringify({ registry, folder, inputs });
    const script = `import { runBuild } from ${support}; await runBuild(${settings});`;
    const options = { cwd: repositoryRoot, stdio: 'ignore' as const };
    return spawn(process.execPath, ['--import', 'tsx/esm', '--input-type=module', '--eval', script], options);
  };

  it('leaves a whole image or none under the tag when it is killed, and the next run completes', async () => {
    await withProject(async (folder, inputs, weights) => {
      for (let round = 0; round < kills; round += 1) {
        const child = start(folder, inputs);
        const ended = once(child, 'exit');
        await Promise.race([sleep(randomInt(300, 2500)), ended]);
        child.kill('SIGKILL');
        await ended;
        const found = await pull(registry, inputs['repository'] ?? '', 'test', 1).catch((error: unknown) => {
          assert.match(String((error as { code?: string }).code), /NOT_FOUND/);
          return undefined;
        });
        if (found !== undefined)
          assert.equal(found.files.get('app/model/weights.bin')?.content.equals(weights), true);
      }
      await runBuild({ registry, folder, inputs });
      const image = await pull(registry, inputs['repository'] ?? '', 'test', 1);
      assert.equal(image.files.get('app/model/weights.bin')?.content.equals(weights), true);
    });
  });

  it('can run twice at once with one model', async () => {
    await withProject(async (folder, inputs, weights) => {
      const tags = ['one', 'two', 'three'];
      await Promise.all(tags.map((tag) => runBuild({ registry, folder, inputs: { ...inputs, tags: tag } })));
      for (const tag of tags) {
        const image = await pull(registry, inputs['repository'] ?? '', tag, 1);
        assert.equal(image.files.get('app/model/weights.bin')?.content.equals(weights), true);
      }
    });
  });
});
