/** What a careful author writes with the Azure SDK: every file by downloadToFile, eight at a time, hashed on demand. */
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { ContainerClient } from '@azure/storage-blob';

const { CONTAINER_URL = '', PREFIX = '', FILES = '', TARGET = '', HASH } = process.env;
const container = new ContainerClient(CONTAINER_URL);
const waiting = FILES.split(',');

async function work(): Promise<void> {
  for (let file = waiting.pop(); file !== undefined; file = waiting.pop()) {
    const target = join(TARGET, file);
    await container.getBlobClient(`${PREFIX}${file}`).downloadToFile(target);
    if (HASH === undefined) continue;
    const hash = createHash('sha256');
    await pipeline(createReadStream(target, { highWaterMark: 1 << 20 }), hash);
    console.log(`${hash.digest('hex')}  ${file}`);
  }
}

await mkdir(TARGET, { recursive: true });
await Promise.all(Array.from({ length: 8 }, work));
