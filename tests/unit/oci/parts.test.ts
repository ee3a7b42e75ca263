import assert from 'node:assert/strict';
import { buffer } from 'node:stream/consumers';
import fc from 'fast-check';
import { partReader } from '../../../src/oci/parts.ts';
import { checkLayerSize, profileOf, smallerRequest } from '../../../src/oci/profile.ts';

const content = Buffer.from(Array.from({ length: 1000 }, (_, index) => index % 251));

describe('a blob that is sent in parts', () => {
  it('is the same bytes for any sizes of pieces and parts, read through once', async () => {
    const sizes = fc.integer({ min: 1, max: 300 });
    await fc.assert(
      fc.asyncProperty(sizes, fc.array(sizes, { minLength: 1 }), async (piece, parts) => {
        let opened = 0;
        const reader = partReader({
          async *open(offset) {
            opened += 1;
            for (let at = offset; at < content.length; at += piece) yield content.subarray(at, at + piece);
          },
        });
        let offset = 0;
        for (const size of parts) {
          const wanted = content.subarray(offset, offset + size);
          assert.deepEqual(await buffer(reader.read(offset, wanted.length)), wanted);
          offset += wanted.length;
        }
        await reader.close();
        assert.equal(opened, 1);
      }),
    );
  });

  it('is opened anew where a part was not read to its end, and closed before', async () => {
    const events: string[] = [];
    const reader = partReader({
      async *open(offset) {
        events.push(`open ${offset}`);
        try {
          for (let at = offset; at < content.length; at += 10) yield content.subarray(at, at + 10);
        } finally {
          events.push('close');
        }
      },
    });
    for await (const piece of reader.read(0, 100)) if (piece.length > 0) break;
    assert.deepEqual(await buffer(reader.read(0, 20)), content.subarray(0, 20));
    assert.deepEqual(await buffer(reader.read(20, 5)), content.subarray(20, 25));
    await reader.close();
    assert.deepEqual(events, ['open 0', 'close', 'open 0', 'close']);
  });

  it('is as large as the registry is known to take, and smaller after each refusal', () => {
    assert.equal(profileOf(new URL('https://ghcr.io')).largestRequest, 4 * 2 ** 20);
    assert.equal(profileOf(new URL('https://team.azurecr.io')).largestRequest, Number.POSITIVE_INFINITY);
    const gibibyte = 2 ** 30;
    checkLayerSize(new URL('https://team.azurecr.cn'), 200 * gibibyte);
    checkLayerSize(new URL('https://notazurecr.io'), 201 * gibibyte);
    assert.throws(() => checkLayerSize(new URL('https://team.azurecr.io'), 200 * gibibyte + 1), {
      code: 'LAYER_TOO_LARGE',
    });
    const tried: number[] = [];
    for (let size = smallerRequest(10 ** 12); size !== undefined; size = smallerRequest(size))
      tried.push(size);
    assert.deepEqual(
      tried,
      [64, 16, 4, 1, 0.5].map((size) => size * 2 ** 20),
    );
  });
});
