import { crcProgram } from './crc.ts';

/**
 * Program of a thread that hashes. A large file it follows while it is being written: it is told how far the file is
 * whole, reads up to there and goes on when it is told more; only offsets pass between threads, never bytes. A small
 * file it is given whole, writes it and hashes it.
 * It is text because a task is bundled into one file, beside which a thread's file would have no place.
 */
export const hashWorkerProgram = `${crcProgram}
const { parentPort } = require('node:worker_threads');
const { createHash } = require('node:crypto');
const { closeSync, openSync, readSync, writeSync } = require('node:fs');
const hashOf = (algorithm) => algorithm.startsWith('crc') ? crcOf(algorithm) : createHash(algorithm);
const files = new Map();
const buffer = Buffer.allocUnsafe(256 * 1024);
function advance(file, upTo) {
  while (file.position < upTo) {
    const count = readSync(file.descriptor, buffer, 0, Math.min(buffer.length, upTo - file.position), file.position);
    if (count === 0) throw new Error('the file ends before its announced length');
    file.hash.update(buffer.subarray(0, count));
    file.position += count;
  }
}
function store(path, bytes) {
  const descriptor = openSync(path, 'w');
  try {
    for (let done = 0; done < bytes.length; ) done += writeSync(descriptor, bytes, done);
  } finally {
    closeSync(descriptor);
  }
}
function follow({ id, path, algorithm, upTo, end }) {
  if (path !== undefined) files.set(id, { descriptor: openSync(path, 'r'), hash: hashOf(algorithm), position: 0 });
  const file = files.get(id);
  if (file === undefined) return undefined;
  advance(file, upTo);
  if (!end) return undefined;
  files.delete(id);
  closeSync(file.descriptor);
  return [file.hash.digest('hex')];
}
parentPort.on('message', (task) => {
  try {
    if (task.bytes !== undefined) store(task.path, task.bytes);
    const digests = task.bytes === undefined
      ? follow(task)
      : task.algorithms.map((algorithm) => hashOf(algorithm).update(task.bytes).digest('hex'));
    if (digests !== undefined) parentPort.postMessage({ id: task.id, digests });
  } catch (error) {
    files.delete(task.id);
    parentPort.postMessage({ id: task.id, error: String(error), code: error.code });
  }
});
`;
