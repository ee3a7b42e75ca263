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
  beginsAsOne: boolean,
): Promise<Finding[]> {
  const { file, deadline } = context;
  const isOne = result.whole > 0 || result.imports.length > 0 || beginsAsOne || pickleName.test(file);
  if (result.brokenOff === undefined || !(isOne || result.isOverLimit === true)) return [];
  const imports: Import[] = [];
  const toTheEnd = await searchImports(reader, deadline, (imported) => imports.push(imported));
  const unseen: Finding[] = [];
  if (isOne && result.isOverLimit === true) {
    const kind = beginsAsOne ? 'dangerous' : 'unclear';
    unseen.push({ file, kind, text: `does what an inspection cannot follow: ${result.brokenOff}` });
  }
  if (!toTheEnd) unseen.push({ file, kind: 'unclear', text: 'is too large to be inspected whole in time' });
  return [...findingsOf(file, imports), ...unseen];
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
  const start = reader.position;
  const head = await reader.take(2).catch(() => Buffer.alloc(0));
  reader.back(start);
  const result = await pickleImports(reader);
  const findings = [
    ...findingsOf(context.file, result.imports),
    ...(await searched(reader, context, result, isPickle(head))),
  ];
  return [...new Map(findings.map((finding) => [finding.text, finding])).values()];
}

const longestHeader = 1024 * 1024;
const plainType = `'[|<>=]?[?bBiufcSaUVmM]\\d*(?:\\[\\w+\\])?'`;
const plainField = `\\('[\\w .-]*', ${plainType}(?:, \\([\\d, ]+\\))?\\)`;
/** A header as NumPy itself writes it, of numbers, texts and raw bytes alone, single or in fields; Python reads others too. */
const plainHeader = new RegExp(
  `^\\{'descr': (?:${plainType}|\\[${plainField}(?:, ${plainField})*\\]), ` +
    `'fortran_order': (?:True|False), 'shape': \\([\\d, L]*\\), \\}\\s*$`,
);

/** An array file holds a pickle where its element type is Python's object. https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html */
export async function inspectNumpy(
  pieces: AsyncIterable<Uint8Array>,
  context: ContentContext,
): Promise<Finding[]> {
  const reader = byteReader(pieces, context.deadline);
  try {
    const start = await reader.take(8);
    const width = start.readUInt8(6) >= 2 ? 4 : 2;
    const length = (await reader.take(width)).readUIntLE(0, width);
    if (length > longestHeader) {
      const text = 'has a header that is larger than that of any array';
      return [{ file: context.file, kind: 'unclear', text }];
    }
    if (plainHeader.test((await reader.take(length)).toString('latin1'))) return [];
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
