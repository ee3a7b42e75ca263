/**
 * Program of a thread that hashes files while they are being written: it is told how far a file is whole, reads
 * up to there and goes on when it is told more. Only offsets pass between threads, never bytes.
 * It is text because a task is bundled into one file, beside which a thread's file would have no place.
 */
export const hashWorkerProgram = `
const { parentPort } = require('node:worker_threads');
const { createHash } = require('node:crypto');
const { closeSync, openSync, readSync } = require('node:fs');
const files = new Map();
const buffer = Buffer.allocUnsafe(1024 * 1024);
function advance(file, upTo) {
  while (file.position < upTo) {
    const count = readSync(file.descriptor, buffer, 0, Math.min(buffer.length, upTo - file.position), file.position);
    if (count === 0) throw new Error('the file ends before its announced length');
    file.hash.update(buffer.subarray(0, count));
    file.position += count;
  }
}
parentPort.on('message', ({ id, path, algorithm, upTo, end }) => {
  try {
    if (path !== undefined) files.set(id, { descriptor: openSync(path, 'r'), hash: createHash(algorithm), position: 0 });
    const file = files.get(id);
    if (file === undefined) return;
    advance(file, upTo);
    if (!end) return;
    files.delete(id);
    closeSync(file.descriptor);
    parentPort.postMessage({ id, digest: file.hash.digest('hex') });
  } catch (error) {
    files.delete(id);
    parentPort.postMessage({ id, error: String(error) });
  }
});
`;
