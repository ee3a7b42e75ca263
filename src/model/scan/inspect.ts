import { createReadStream } from 'node:fs';
import { open } from 'node:fs/promises';
import type { Duplex } from 'node:stream';
import { createGunzip, createInflate } from 'node:zlib';
import type { ZipFile } from 'yauzl';
import {
  type ContentContext,
  type Finding,
  inspectKeras,
  inspectNumpy,
  inspectPickle,
  isPickle,
  pickleName,
} from './content.ts';

/** Seconds that one file's inspection may take. */
const secondsPerFile = 60;
/** Entries of an archive that are inspected. */
const mostEntries = 20_000;

type Bytes = AsyncIterable<Uint8Array>;

function startsWith(head: Buffer, magic: string): boolean {
  return head.toString('latin1', 0, magic.length) === magic;
}

/** A stream's first bytes, and the whole stream again. */
async function peek(stream: Bytes): Promise<{ head: Buffer; whole: Bytes }> {
  const iterator = stream[Symbol.asyncIterator]();
  const first = await iterator.next();
  const head = first.done === true ? Buffer.alloc(0) : Buffer.from(first.value);
  async function* whole(): AsyncGenerator<Uint8Array> {
    if (first.done !== true) yield first.value;
    for (let next = await iterator.next(); next.done !== true; next = await iterator.next()) yield next.value;
  }
  return { head, whole: whole() };
}

type Inspection = (pieces: Bytes, context: ContentContext) => Promise<Finding[]>;

/** How plain content is inspected, by what its first bytes and its name say that it is; undefined for most. */
function inspectionOf(head: Buffer, file: string): Inspection | undefined {
  if (startsWith(head, '\u0093NUMPY')) return inspectNumpy;
  if (startsWith(head, '\u0089HDF\r\n') || /(^|[/ ])config\.json$/.test(file)) return inspectKeras;
  return isPickle(head) || pickleName.test(file) ? inspectPickle : undefined;
}

async function inspectStream(stream: Bytes, context: ContentContext): Promise<Finding[]> {
  const { head, whole } = await peek(stream);
  return (await inspectionOf(head, context.file)?.(whole, context)) ?? [];
}

async function inspectEntries(archive: ZipFile, context: ContentContext): Promise<Finding[]> {
  const findings: Finding[] = [];
  let count = 0;
  for await (const entry of archive.eachEntry()) {
    count += 1;
    if (count > mostEntries || performance.now() > context.deadline) {
      findings.push({
        file: context.file,
        kind: 'unclear',
        text: 'has more in it than can be inspected in time',
      });
      break;
    }
    if (entry.fileName.endsWith('/')) continue;
    const stream = await archive.openReadStreamPromise(entry);
    try {
      const file = `${context.file}: ${entry.fileName}`;
      findings.push(...(await inspectStream(stream, { ...context, file })));
    } finally {
      stream.destroy();
    }
  }
  return findings;
}

/** PyTorch, NumPy (.npz), Keras and skops files are ZIP archives. */
async function inspectZip(path: string, context: ContentContext): Promise<Finding[]> {
  const { openPromise } = await import('yauzl');
  const archive = await openPromise(path, { lazyEntries: true });
  try {
    return await inspectEntries(archive, context);
  } finally {
    archive.close();
  }
}

async function headOf(path: string): Promise<Buffer> {
  const handle = await open(path);
  try {
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(16), 0, 16, 0);
    return buffer.subarray(0, bytesRead);
  } finally {
    await handle.close();
  }
}

/** Decompresses gzip and zlib, by which joblib packs. RFC 1952 and 1950, section 2.2. */
function unpackerOf(head: Buffer): Duplex | undefined {
  if (head[0] === 0x1f && head[1] === 0x8b) return createGunzip();
  const zlib = head[0] === 0x78 && head.length > 1 && head.readUInt16BE(0) % 31 === 0;
  return zlib ? createInflate() : undefined;
}

async function inspectByKind(path: string, context: ContentContext, signal: AbortSignal): Promise<Finding[]> {
  const head = await headOf(path);
  if (startsWith(head, 'PK')) return inspectZip(path, context);
  const named = /\.(gz|z|pkl|pickle|joblib)$/i.test(context.file);
  const unpacker = named ? unpackerOf(head) : undefined;
  if (unpacker === undefined && inspectionOf(head, context.file) === undefined) return [];
  const stream = createReadStream(path, { highWaterMark: 256 * 1024, signal });
  stream.on('error', (error) => unpacker?.destroy(error));
  try {
    return await inspectStream(unpacker === undefined ? stream : stream.pipe(unpacker), context);
  } finally {
    // Most files are left after their first bytes: they must not stay open.
    stream.destroy();
    unpacker?.destroy();
  }
}

/**
 * Inspects one model file for code that runs when it is loaded, without loading it, in bounded memory and time.
 * `file` is the name that findings show. What cannot be read as what it seems to be is told as unclear.
 */
export async function inspectFile(
  path: string,
  file: string,
  signal: AbortSignal,
): Promise<readonly Finding[]> {
  const deadline = performance.now() + secondsPerFile * 1000;
  try {
    return await inspectByKind(path, { file, deadline }, signal);
  } catch (error) {
    signal.throwIfAborted();
    const reason = error instanceof Error ? error.message : String(error);
    return [{ file, kind: 'unclear', text: `cannot be inspected: ${reason}` }];
  }
}
