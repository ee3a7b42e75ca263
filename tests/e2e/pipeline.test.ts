import assert from 'node:assert/strict';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { ensureBaseImage } from '../../local/baseimage/index.ts';
import { writeConnections } from '../../local/demo/connections.ts';
import { publishedModels, publishModel } from '../../local/demo/models.ts';
import { type RoundSetting, runRound } from '../../local/demo/round.ts';
import { ensureNode } from '../../local/toolchain/node.ts';
import { services, testContext } from '../support/services.ts';
import { builtExtension } from '../support/vsix.ts';

const minutes = 60_000;

async function allText(folder: string): Promise<string> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
  return (await Promise.all(files.map((file) => readFile(file, 'utf8')))).join('\n');
}

describe("the article's pipeline, through the packaged extension", function () {
  this.timeout(20 * minutes);
  let setting: RoundSetting;

  before(async () => {
    const context = await testContext();
    const { storage, registry, cluster } = await services('storage', 'registry', 'cluster');
    await ensureBaseImage(context, registry);
    setting = {
      storage,
      registry,
      cluster,
      connectionsFile: await writeConnections(context, { registry, cluster }),
      vsix: await builtExtension(),
      workFolder: join(context.stateFolder, 'agent'),
      signal: new AbortController().signal,
      screen: false,
    };
  });

  const trips = [
    { major: 20, model: publishedModels[0] },
    { major: 24, model: publishedModels[1] },
  ] as const;

  for (const { major, model } of trips) {
    it(`brings model ${model.version} to the load balancer on Node ${major}`, async () => {
      const context = await testContext();
      await publishModel(context, setting.storage, model);
      const round = await runRound({ ...setting, node: await ensureNode(context, major) });
      assert.deepEqual([...new Set(round.steps.map((step) => step.result))], ['Succeeded']);
      assert.equal(round.model.version, model.version);
      assert.equal(round.prediction.right, true, JSON.stringify(round.prediction));
      assert.equal(round.deployment.image, round.image.reference);
      assert.equal(round.deployment.readyReplicas, 2);
      assert.ok(round.pods.length >= 2);
      for (const { image } of round.pods) assert.match(image, new RegExp(`${round.image.digest}$`));
    });
  }

  it('moves no byte and changes nothing on the next night', async () => {
    const round = await runRound(setting);
    assert.equal(round.image.bytesUploaded, 0);
    assert.equal(round.prediction.modelVersion, publishedModels[1].version);
  });

  it('keeps every secret out of everything that it wrote', async () => {
    const text = await allText(setting.workFolder);
    assert.ok(text.length > 1000);
    for (const secret of [setting.storage.accountKey, setting.registry.password]) {
      assert.ok(!text.includes(secret));
      assert.ok(!text.includes(Buffer.from(secret).toString('base64')));
    }
  });
});
