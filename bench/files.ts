import { randomFillSync } from 'node:crypto';
import { mkdir, open, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';

const blockBytes = 16 << 20;

/** Writes a file of random bytes: no server, file system or compressor can make less of it. */
export async function writeRandom(file: string, bytes: number): Promise<void> {
  await mkdir(dirname(file), { recursive: true });
  const handle = await open(file, 'w');
  try {
    const block = Buffer.allocUnsafe(Math.min(blockBytes, bytes));
    for (let at = 0; at < bytes; at += block.length) {
      randomFillSync(block);
      await handle.write(block, 0, Math.min(block.length, bytes - at));
    }
  } finally {
    await handle.close();
  }
}

/** Fails unless the folder has the files, each of this size: who leaves something out has not done the job. */
export async function checkFiles(folder: string, names: readonly string[], bytes: number): Promise<void> {
  for (const name of names) {
    const { size } = await stat(join(folder, name));
    if (size !== bytes) throw new Error(`${name} has ${size} bytes instead of ${bytes}`);
  }
}
