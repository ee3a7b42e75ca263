/** What a careful author writes with the AWS SDK: every object streamed to its file, eight at a time. */
import { createWriteStream } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { GetObjectCommand, S3Client } from '@aws-sdk/client-s3';

const { BUCKET = '', PREFIX = '', FILES = '', TARGET = '' } = process.env;
const client = new S3Client({ forcePathStyle: true });
const waiting = FILES.split(',');

async function work(): Promise<void> {
  for (let file = waiting.pop(); file !== undefined; file = waiting.pop()) {
    const { Body } = await client.send(new GetObjectCommand({ Bucket: BUCKET, Key: `${PREFIX}${file}` }));
    if (Body instanceof Readable) await pipeline(Body, createWriteStream(join(TARGET, file)));
  }
}

await mkdir(TARGET, { recursive: true });
await Promise.all(Array.from({ length: 8 }, work));
