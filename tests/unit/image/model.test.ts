import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { buffer } from 'node:stream/consumers';
import fc from 'fast-check';
import type { ModelFile } from '../../../src/image/model/model.ts';
import { planModelLayers } from '../../../src/image/model/packing.ts';
import { createTap } from '../../../src/image/model/tap.ts';

const mebibyte = 1024 * 1024;

function sha256(content: Uint8Array): string {
  return createHash('sha256').update(content).digest('hex');
}

function modelFile(path: string, content: Uint8Array, chunk = 100, hash = sha256(content)): ModelFile {
  return {
    path,
    size: content.byteLength,
    sha256: hash,
    async *open(offset) {
      for (let at = offset; at < content.byteLength; at += chunk) yield content.subarray(at, at + chunk);
    },
  };
}

function sized(path: string, size: number): ModelFile {
  return { path, size, open: () => assert.fail('planning reads nothing') };
}

describe("the model's layers", () => {
  it('give large files layers of their own and bundle the small ones', () => {
    const files = [sized('b.bin', 64 * mebibyte), sized('a.json', 10), sized('c/d.txt', 20)];
    const plans = planModelLayers(files, '/app/model');
    assert.deepEqual(
      plans.map((plan) => plan.files.map((file) => file.path)),
      [['a.json', 'c/d.txt'], ['b.bin']],
    );
  });

  it('are the same for any order of the files, hold each file once and never are too many', () => {
    const sizes = fc.array(fc.integer({ min: 0, max: 300 * mebibyte }), { minLength: 1, maxLength: 200 });
    fc.assert(
      fc.property(sizes, (given) => {
        const files = given.map((size, index) => sized(`f${index}`, size));
        const names = (list: readonly ModelFile[]) =>
          planModelLayers(list, '/m').map((plan) => plan.files.map((file) => file.path));
        const plans = names(files);
        assert.deepEqual(names([...files].reverse()), plans);
        assert.equal(new Set(plans.flat()).size, files.length);
        assert.equal(plans.flat().length, files.length);
        assert.ok(plans.length <= 40);
      }),
    );
  });

  it('are hashed and verified in the pass that sends them, also when it starts again in the middle', async () => {
    const contents = fc.array(fc.uint8Array({ maxLength: 1500 }), { minLength: 1, maxLength: 5 });
    await fc.assert(
      fc.asyncProperty(
        contents,
        fc.nat(6000),
        fc.nat(6000),
        fc.integer({ min: 1, max: 700 }),
        async (all, stop, back, chunk) => {
          const files = all.map((content, index) => modelFile(`f${index}`, content, chunk));
          const [plan] = planModelLayers(files, '/m');
          assert.ok(plan);
          const whole = await buffer(plan.archive.open());
          const tap = createTap(plan.archive, plan.files);
          let read = 0;
          for await (const part of tap.open(0)) {
            read += part.byteLength;
            if (read > stop) break;
          }
          const rest = await buffer(tap.open(Math.min(back, read)));
          assert.equal(rest.byteLength, whole.byteLength - Math.min(back, read));
          assert.equal(tap.digest(), `sha256:${sha256(whole)}`);
          assert.deepEqual(tap.fileHashes(), all.filter((content) => content.byteLength > 0).map(sha256));
        },
      ),
    );
  });

  it('end with an error before their last byte when a file is not the locked one', async () => {
    const files = [
      modelFile('a', Buffer.from('first')),
      modelFile('b', Buffer.from('other'), 2, sha256(Buffer.from('locked'))),
    ];
    const [plan] = planModelLayers(files, '/m');
    assert.ok(plan);
    let read = 0;
    const all = async (): Promise<void> => {
      for await (const part of createTap(plan.archive, plan.files).open(0)) read += part.byteLength;
    };
    await assert.rejects(all(), { code: 'MODEL_CHANGED', message: /'b'/ });
    assert.ok(read < plan.archive.size);
  });
});
