import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { readdir } from 'node:fs/promises';
import { buffer } from 'node:stream/consumers';
import { gunzipSync } from 'node:zlib';
import { compressInto } from '../../../src/image/layers/compressed.ts';
import { modelKey } from '../../../src/image/model/deliver.ts';
import { withFolder } from '../../support/folder.ts';

const content = Buffer.concat([randomBytes(300_000), Buffer.alloc(700_000, 'weights')]);
const never = new AbortController().signal;

function archive(chunk: number, onRead: () => void = () => undefined) {
  return {
    async *open() {
      for (let at = 0; at < content.byteLength; at += chunk) {
        onRead();
        yield content.subarray(at, at + chunk);
      }
    },
  };
}

function sha256(bytes: Uint8Array): string {
  return `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
}

describe('A compressed layer', () => {
  it('is the archive again when it is unpacked, and both digests are right from any byte on', async () => {
    await withFolder(async (folder) => {
      const layer = await compressInto(folder, archive(65_536), never);
      const packed = await buffer(layer.open(0));
      assert.equal(gunzipSync(packed).equals(content), true);
      assert.deepEqual(
        { digest: layer.digest, diffId: layer.diffId, size: layer.size },
        { digest: sha256(packed), diffId: sha256(content), size: packed.byteLength },
      );
      assert.equal((await buffer(layer.open(1000))).equals(packed.subarray(1000)), true);
    });
  });

  it('depends on the content alone: no time, name or system in its header, whatever parts it came in', async () => {
    await withFolder(async (folder) => {
      const [first, second] = await Promise.all([
        compressInto(folder, archive(65_536), never),
        compressInto(folder, archive(999), never),
      ]);
      assert.equal(first.digest, second.digest);
      const header = (await buffer(first.open(0))).subarray(0, 10);
      // RFC 1952: magic, deflate, no flags, no time; the last byte is "unknown system".
      assert.deepEqual([...header.subarray(0, 8), header[9]], [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 255]);
    });
  });

  it('stops reading when the run is cancelled, and frees the disk when it is told to', async () => {
    await withFolder(async (folder) => {
      const cancelled = new AbortController();
      let reads = 0;
      const counting = archive(1000, () => {
        reads += 1;
        if (reads === 10) cancelled.abort();
      });
      await assert.rejects(compressInto(folder, counting, cancelled.signal), { name: 'AbortError' });
      assert.ok(reads < 900, `${reads} reads`);
      const layer = await compressInto(folder, archive(1000), never);
      const before = await readdir(folder);
      await layer.remove();
      assert.equal((await readdir(folder)).length, before.length - 1);
    });
  });
});

describe("A model's key", () => {
  it('tells destinations and compressions apart, and is the identity for the usual ones', () => {
    const identity = sha256(content);
    assert.equal(modelKey(identity, '/app/model'), identity);
    const keys = ['/app/model', '/m'].flatMap((at) => [
      modelKey(identity, at),
      modelKey(identity, at, 'gzip'),
    ]);
    assert.equal(new Set(keys).size, 4);
  });
});
