/**
 * The cyclic checksums that S3 keeps of objects, for the hashing threads: `crcOf(algorithm)` has `update` and `digest`
 * as Node's hashes do. Eight bytes at a time by tables; CRC-32 by zlib where Node has it (20.15, 22.2). It is text as
 * the threads' program is.
 * https://docs.aws.amazon.com/AmazonS3/latest/userguide/checking-object-integrity.html
 */
export const crcProgram = `
const { crc32 } = require('node:zlib');
const polynomials = { crc32: [0xedb88320, 0], crc32c: [0x82f63b78, 0], crc64nvme: [0xac4bc9b5, 0x9a6c9329] };
const tables = new Map();
function tableOf(algorithm) {
  let table = tables.get(algorithm);
  if (table !== undefined) return table;
  const [low, high] = polynomials[algorithm];
  table = { low: new Uint32Array(2048), high: new Uint32Array(2048) };
  tables.set(algorithm, table);
  for (let byte = 0; byte < 256; byte++) {
    let l = byte, h = 0;
    for (let bit = 0; bit < 8; bit++) {
      const odd = l & 1;
      l = ((l >>> 1) | (h << 31)) >>> 0;
      h = h >>> 1;
      if (odd) { l = (l ^ low) >>> 0; h = (h ^ high) >>> 0; }
    }
    table.low[byte] = l;
    table.high[byte] = h;
  }
  for (let at = 256; at < 2048; at++) {
    const l = table.low[at - 256], h = table.high[at - 256];
    table.low[at] = ((l >>> 8) | (h << 24)) ^ table.low[l & 255];
    table.high[at] = (h >>> 8) ^ table.high[l & 255];
  }
  return table;
}
function crcOf(algorithm) {
  const wide = algorithm === 'crc64nvme';
  let low = 0xffffffff | 0, high = wide ? 0xffffffff | 0 : 0, whole = 0;
  const fast = algorithm === 'crc32' && crc32 !== undefined;
  const { low: L, high: H } = tableOf(algorithm);
  const hash = {
    update(bytes) {
      if (fast) { whole = crc32(bytes, whole); return hash; }
      let l = low, h = high, at = 0;
      for (const end = bytes.length - 7; at < end; at += 8) {
        const a = l ^ (bytes[at] | bytes[at + 1] << 8 | bytes[at + 2] << 16 | bytes[at + 3] << 24);
        const b = h ^ (bytes[at + 4] | bytes[at + 5] << 8 | bytes[at + 6] << 16 | bytes[at + 7] << 24);
        const i = 1792 + (a & 255), j = 1536 + (a >>> 8 & 255), k = 1280 + (a >>> 16 & 255), m = 1024 + (a >>> 24);
        const n = 768 + (b & 255), o = 512 + (b >>> 8 & 255), p = 256 + (b >>> 16 & 255), q = b >>> 24;
        l = L[i] ^ L[j] ^ L[k] ^ L[m] ^ L[n] ^ L[o] ^ L[p] ^ L[q];
        if (wide) h = H[i] ^ H[j] ^ H[k] ^ H[m] ^ H[n] ^ H[o] ^ H[p] ^ H[q];
        else h = 0;
      }
      for (; at < bytes.length; at++) {
        const index = (l ^ bytes[at]) & 255;
        l = (l >>> 8 | h << 24) ^ L[index];
        h = h >>> 8 ^ H[index];
      }
      low = l;
      high = h;
      return hash;
    },
    digest() {
      const hex = (value) => (value >>> 0).toString(16).padStart(8, '0');
      if (fast) return hex(whole);
      return wide ? hex(~high) + hex(~low) : hex(~low);
    },
  };
  return hash;
}
`;
