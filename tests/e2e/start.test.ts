import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { cp, readdir, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { promisify } from 'node:util';
import { packagedTaskFolder, taskNames } from '../../build/layout.ts';
import { ensureNode } from '../../local/toolchain/node.ts';
import { withFolder } from '../support/folder.ts';
import { testContext } from '../support/services.ts';
import { builtExtension } from '../support/vsix.ts';

describe('A packaged task, when it starts', function () {
  this.timeout(300_000);

  /** Runs to the first decision: an input is missing. */
  const start = async (node: string, task: string, folder: string, tools: string): Promise<void> => {
    const env = { PATH: process.env['PATH'], AGENT_TEMPDIRECTORY: folder, AGENT_TOOLSDIRECTORY: tools };
    const { stdout, stderr } = await promisify(execFile)(node, [join(task, 'index.js')], {
      cwd: folder,
      env,
    });
    assert.match(stdout, /##vso\[task\.complete result=Failed;\].*Code: INPUT_MISSING/);
    assert.equal(stderr, '');
  };

  before(builtExtension);

  it("keeps what V8 compiled among the agent's tools, and decides the same with and without it", async () => {
    const node = await ensureNode(await testContext(), 24);
    await withFolder(async (folder) => {
      const tools = join(folder, 'tools');
      await start(node, packagedTaskFolder('BuildModelImage'), folder, tools);
      const kept = await readdir(join(tools, 'model-delivery', 'compile-cache'), { recursive: true });
      assert.ok(kept.length >= 2, kept.join());
      await start(node, packagedTaskFolder('BuildModelImage'), folder, tools);
    });
  });

  it('does not fail where that folder cannot be made, nor on a Node without such a cache', async () => {
    await withFolder(async (folder) => {
      const file = join(folder, 'no-folder');
      await writeFile(file, '');
      for (const major of [20, 24] as const) {
        const node = await ensureNode(await testContext(), major);
        await start(node, packagedTaskFolder('FetchModel'), folder, file);
      }
    });
  });

  it('needs no SDK, each of which is a file beside it', async () => {
    for (const name of taskNames) {
      const task = packagedTaskFolder(name);
      const sdks = (await readdir(task)).filter((file) => /^(aws|azure)-.*\.js$/.test(file));
      assert.ok(sdks.includes('azure-identity.js'));
      await withFolder(async (folder) => {
        await cp(task, folder, { recursive: true, filter: (source) => !sdks.includes(basename(source)) });
        await start(process.execPath, folder, folder, join(folder, 'tools'));
      });
    }
  });
});
