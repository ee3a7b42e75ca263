import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { runInNewContext } from 'node:vm';
import { crcProgram } from '../../../src/model/transfer/crc.ts';
import { type Algorithm, hashThreads } from '../../../src/model/transfer/hasher.ts';
import { withFolder } from '../../support/folder.ts';

/** Reflected polynomials and widths, as the catalogue of CRC algorithms gives them. https://reveng.sourceforge.io/crc-catalogue/ */
const parameters = {
  crc32: [0xedb88320n, 32n, 'cbf43926'],
  crc32c: [0x82f63b78n, 32n, 'e3069283'],
  crc64nvme: [0x9a6c9329ac4bc9b5n, 64n, 'ae8b14860a799888'],
} as const;

/** A bit at a time, as it is defined. */
function defined(polynomial: bigint, width: bigint, bytes: Uint8Array): string {
  const ones = (1n << width) - 1n;
  let value = ones;
  for (const byte of bytes) {
    value ^= BigInt(byte);
    for (let bit = 0; bit < 8; bit += 1)
      value = (value & 1n) === 0n ? value >> 1n : (value >> 1n) ^ polynomial;
  }
  return (value ^ ones).toString(16).padStart(Number(width) / 4, '0');
}

describe("S3's checksums", () => {
  for (const [name, [polynomial, width, check]] of Object.entries(parameters)) {
    it(`are computed as ${name} is defined, by a thread, of a small file and of one that grows`, () =>
      withFolder(async (folder) => {
        const threads = hashThreads();
        const algorithm = name as Algorithm;
        const path = join(folder, 'file');
        try {
          for (const content of [Buffer.from('123456789'), randomBytes(1003), Buffer.alloc(0)]) {
            const block = threads.block(content.length);
            block.set(content);
            const [value] = await threads.store(path, block, [algorithm]);
            assert.equal(value, defined(polynomial, width, content));
            if (content.length === 9) assert.equal(value, check);
            await writeFile(path, content);
            const following = threads.follow(path, algorithm);
            following.advance(content.length >> 1);
            assert.equal(await following.digest(content.length), value);
          }
        } finally {
          await threads.close();
        }
      }));
  }

  it('are the same by tables where Node has no crc32', () => {
    const bytes = randomBytes(1003);
    const context = { require: () => ({}), bytes };
    const value = runInNewContext(`${crcProgram}; crcOf('crc32').update(bytes).digest()`, context);
    assert.equal(value, defined(...([parameters.crc32[0], parameters.crc32[1]] as const), bytes));
  });
});
