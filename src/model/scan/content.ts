import { type ByteReader, byteReader, EndOfBytes } from './bytes.ts';
import type { Import } from './machine.ts';
import { type PickleImports, pickleImports } from './pickle.ts';
import { dangerOf } from './rules.ts';
import { searchImports } from './signature.ts';

/** Something in a model file that the reader of the log should know. */
export interface Finding {
  /** Path of the file, and within an archive `file: entry`. */
  readonly file: string;
  /** `dangerous`: loading runs code; `unclear`: a part could not be inspected. */
  readonly kind: 'dangerous' | 'unclear';
  /** What was found and why it matters, one sentence. */
  readonly text: string;
}

/** What inspects a stream of bytes. */
export interface ContentContext {
  readonly file: string;
  /** When to give up, as `performance.now()` counts. */
  readonly deadline: number;
}

/** Names under which pickles travel; without their magic bytes only these are taken for pickles. */
export const pickleName = /\.(pkl|pickle|p|joblib|pt|pth|ckpt|dill)$/i;

/** Names under which pickles may travel, beside much that is none: these are followed, and searched only if they begin as one. */
export const perhapsPickleName = /\.(bin|dat|data|model|sav|weights|npy)$|(^|[/ ])[^./]+$/i;

/** True for PROTO and its number, by which pickles begin from protocol 2 on; earlier ones may. */
export function isPickle(head: Uint8Array): boolean {
  return head[0] === 0x80 && (head[1] ?? 99) <= 5;
}

function importFinding(file: string, { module, name }: Import): Finding | undefined {
  if (module === '?' || name === '?') {
    return { file, kind: 'dangerous', text: 'imports something whose name is computed while it is loaded' };
  }
  const danger = dangerOf(module, name);
  if (danger === undefined) return undefined;
  return { file, kind: 'dangerous', text: `imports ${module}.${name} when it is loaded: ${danger.why}` };
}

function findingsOf(file: string, imports: readonly Import[]): Finding[] {
  const findings = imports.map((imported) => importFinding(file, imported));
  return findings.filter((finding) => finding !== undefined);
}

/** Searches what could not be followed, unless nothing says that the bytes are a pickle at all. */
async function searched(
  reader: ByteReader,
  context: ContentContext,
  result: PickleImports,
): Promise<Finding[]> {
  const { file, deadline } = context;
  const isOne = result.whole > 0 || result.imports.length > 0 || pickleName.test(file);
  if (result.brokenOff === undefined || !isOne) return [];
  const imports: Import[] = [];
  const toTheEnd = await searchImports(reader, deadline, (imported) => imports.push(imported));
  if (toTheEnd) return findingsOf(file, imports);
  return [
    ...findingsOf(file, imports),
    { file, kind: 'unclear', text: 'is too large to be inspected whole in time' },
  ];
}

/** Searches bytes that cannot be read as what they are for the imports of dangerous modules. */
export async function searchBytes(
  pieces: AsyncIterable<Uint8Array>,
  { file, deadline }: ContentContext,
): Promise<Finding[]> {
  const imports: Import[] = [];
  await searchImports(byteReader(pieces, deadline), deadline, (imported) => imports.push(imported));
  return findingsOf(file, imports);
}

/** What the pickles in a stream import that they should not. */
export async function inspectPickle(
  pieces: AsyncIterable<Uint8Array>,
  context: ContentContext,
): Promise<Finding[]> {
  return followed(byteReader(pieces, context.deadline), context);
}

async function followed(reader: ByteReader, context: ContentContext): Promise<Finding[]> {
  const result = await pickleImports(reader);
  const findings = [
    ...findingsOf(context.file, result.imports),
    ...(await searched(reader, context, result)),
  ];
  return [...new Map(findings.map((finding) => [finding.text, finding])).values()];
}

/** An array file holds a pickle where its element type is Python's object. https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html */
export async function inspectNumpy(
  pieces: AsyncIterable<Uint8Array>,
  context: ContentContext,
): Promise<Finding[]> {
  const reader = byteReader(pieces, context.deadline);
  try {
    const start = await reader.take(8);
    const width = start.readUInt8(6) >= 2 ? 4 : 2;
    const header = await reader.take((await reader.take(width)).readUIntLE(0, width));
    // Fields of a structured type may be objects too.
    if (!/'descr':.*['"][|<>=]?O\d*['"]/s.test(header.toString('latin1'))) return [];
    return await followed(reader, context);
  } catch (error) {
    if (error instanceof EndOfBytes) return [];
    throw error;
  }
}

/** Keras names each layer's class in JSON, within HDF5 too; a Lambda layer's code runs when the model is loaded. */
const lambdaLayer = /"class_name"\s*:\s*"Lambda"/;

/** JSON may write each letter by its number. RFC 8259, section 7. */
function plainLetters(json: string): string {
  return json.replace(/\\u00([0-7][0-9a-f])/gi, (_, code: string) =>
    String.fromCharCode(Number.parseInt(code, 16)),
  );
}

/** Looks for Keras layers that carry code, in pieces of any size. */
export async function inspectKeras(
  pieces: AsyncIterable<Uint8Array>,
  context: ContentContext,
): Promise<Finding[]> {
  let tail = '';
  for await (const piece of pieces) {
    const text = tail + Buffer.from(piece.buffer, piece.byteOffset, piece.length).toString('latin1');
    if (lambdaLayer.test(plainLetters(text))) {
      const text = 'has a Keras Lambda layer, whose Python code runs when the model is loaded or used';
      return [{ file: context.file, kind: 'dangerous', text }];
    }
    if (performance.now() > context.deadline) {
      return [{ file: context.file, kind: 'unclear', text: 'is too large to be inspected whole in time' }];
    }
    tail = text.slice(-512);
  }
  return [];
}
