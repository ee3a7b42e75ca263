import { createReadStream } from 'node:fs';
import { open } from 'node:fs/promises';
import type { Duplex, Readable } from 'node:stream';
import { createGunzip, createInflate, createInflateRaw } from 'node:zlib';
import type { Entry, ZipFile } from 'yauzl';
import {
  type ContentContext,
  type Finding,
  inspectKeras,
  inspectNumpy,
  inspectPickle,
  isPickle,
  perhapsPickleName,
  pickleName,
  searchBytes,
} from './content.ts';

/** Seconds that one file's inspection may take. */
const secondsPerFile = 60;
/** Entries of an archive that are inspected. */
const mostEntries = 20_000;
const mostFindings = 50;
const longestFinding = 300;
const longestName = 500;

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
  const named = pickleName.test(file) || perhapsPickleName.test(file);
  return isPickle(head) || named ? inspectPickle : undefined;
}

async function inspectStream(stream: Bytes, context: ContentContext): Promise<Finding[]> {
  const { head, whole } = await peek(stream);
  return (await inspectionOf(head, context.file)?.(whole, context)) ?? [];
}

/** One part that cannot be read must not hide the others. */
async function guarded({ file }: ContentContext, inspect: () => Promise<Finding[]>): Promise<Finding[]> {
  try {
    return await inspect();
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    return [{ file, kind: 'unclear', text: `cannot be inspected: ${reason}` }];
  }
}

/** An entry's content. Readers of models do not heed the flag of encryption, so it must not hide an entry. */
async function entryStream(archive: ZipFile, entry: Entry): Promise<Readable> {
  if (!entry.isEncrypted()) return archive.openReadStreamPromise(entry);
  const raw = await archive.openReadStreamPromise(entry, { decodeFileData: false });
  return entry.compressionMethod === 0 ? raw : raw.pipe(createInflateRaw());
}

async function inspectEntry(archive: ZipFile, entry: Entry, context: ContentContext): Promise<Finding[]> {
  const stream = await entryStream(archive, entry);
  try {
    return await inspectStream(stream, context);
  } finally {
    stream.destroy();
  }
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
    // As bytes: names that lead elsewhere, at which the library would end, are not followed anyway.
    const name = String(entry.fileName);
    if (name.endsWith('/')) continue;
    const own = { ...context, file: `${context.file}: ${name}` };
    findings.push(...(await guarded(own, () => inspectEntry(archive, entry, own))));
  }
  return findings;
}

/**
 * PyTorch, NumPy (.npz), Keras and skops files are ZIP archives. One whose directory cannot be read is searched as
 * it is: a reader that is less strict may find more in it.
 */
async function inspectZip(path: string, context: ContentContext, signal: AbortSignal): Promise<Finding[]> {
  const { openPromise } = await import('yauzl');
  const findings = await guarded(context, async () => {
    const archive = await openPromise(path, {
      lazyEntries: true,
      decodeStrings: false,
      validateEntrySizes: false,
    });
    try {
      return await inspectEntries(archive, context);
    } finally {
      archive.close();
    }
  });
  if (!findings.some(({ file, kind }) => kind === 'unclear' && file === context.file)) return findings;
  return [...findings, ...(await searchBytes(createReadStream(path, { signal }), context))];
}

/** Packed in a way that nothing here unpacks; loading it would. */
const packed: readonly (readonly [string, string])[] = [
  ['7z\u00bc\u00af', '7-Zip'],
  ['BZh', 'bzip2'],
  ['\u00fd7zXZ', 'xz'],
  ['\u005d\u0000\u0000', 'LZMA'],
  ['\u0004\u0022\u004d\u0018', 'LZ4'],
];
const archiveName = /\.(zip|npz|keras|pt|pth|skops|mar)$/i;

async function bytesAt(path: string, from: 'start' | 'end', count: number): Promise<Buffer> {
  const handle = await open(path);
  try {
    const at = from === 'start' ? 0 : Math.max(0, (await handle.stat()).size - count);
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(count), 0, count, at);
    return buffer.subarray(0, bytesRead);
  } finally {
    await handle.close();
  }
}

/** A ZIP archive is found from its end: other bytes may stand before it. APPNOTE.TXT, section 4.3.16. */
async function endsAsZip(path: string): Promise<boolean> {
  return (await bytesAt(path, 'end', 66_000)).includes('PK\u0005\u0006', 0, 'latin1');
}

/** Decompresses gzip and zlib, by which joblib packs. RFC 1952 and 1950, section 2.2. */
function unpackerOf(head: Buffer): Duplex | undefined {
  if (head[0] === 0x1f && head[1] === 0x8b) return createGunzip();
  const zlib = head[0] === 0x78 && head.length > 1 && head.readUInt16BE(0) % 31 === 0;
  return zlib ? createInflate() : undefined;
}

async function inspectByKind(path: string, context: ContentContext, signal: AbortSignal): Promise<Finding[]> {
  const head = await bytesAt(path, 'start', 16);
  if (startsWith(head, 'PK')) return inspectZip(path, context, signal);
  if (archiveName.test(context.file) && (await endsAsZip(path))) {
    const text = 'is a ZIP archive behind other bytes, which hide from an inspection what some readers load';
    return [{ file: context.file, kind: 'dangerous', text }];
  }
  const packing = packed.find(([magic]) => startsWith(head, magic))?.[1];
  if (packing !== undefined && (pickleName.test(context.file) || packing === '7-Zip')) {
    return [
      { file: context.file, kind: 'unclear', text: `is packed by ${packing}, which is not unpacked here` },
    ];
  }
  const named = /\.(gz|z)$/i.test(context.file) || pickleName.test(context.file);
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

/** A file may be made to have millions of findings, of any length: enough of them are kept to be told. */
function shortened(file: string, findings: readonly Finding[]): readonly Finding[] {
  const kept = findings.slice(0, mostFindings).map((finding) => ({
    ...finding,
    file: cut(finding.file, longestName),
    text: cut(finding.text, longestFinding),
  }));
  const left = findings.slice(mostFindings);
  const [worst] = left.filter(({ kind }) => kind === 'dangerous');
  if (left.length === 0) return kept;
  return [
    ...kept,
    { file, kind: (worst ?? left[0])?.kind ?? 'unclear', text: `has ${left.length} more findings` },
  ];
}

function cut(text: string, longest: number): string {
  return text.length <= longest ? text : `${text.slice(0, longest)}…`;
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
    return shortened(file, await inspectByKind(path, { file, deadline }, signal));
  } catch (error) {
    signal.throwIfAborted();
    const reason = error instanceof Error ? error.message : String(error);
    return [{ file, kind: 'unclear', text: `cannot be inspected: ${reason}` }];
  }
}
