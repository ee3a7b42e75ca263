import { type ByteReader, EndOfBytes } from './bytes.ts';
import { createMachine, type Import, type Machine, NotFollowed, type Operand, OverLimit } from './machine.ts';
import { type Opcode, opcodes } from './opcodes.ts';

/** What a pickle imports, and how far it could be followed. */
export interface PickleImports {
  readonly imports: readonly Import[];
  /** Why the stream could not be followed to its end; undefined when it was. */
  readonly brokenOff?: string;
  /** True where it broke off at a limit of this inspection, which no real model reaches. */
  readonly isOverLimit?: boolean;
  /** Pickles that were followed to their end. */
  readonly whole: number;
}

/** Opcodes that are followed at most: minutes, not hours. */
const mostSteps = 50_000_000;
const longestText = 512;
/** Of a longer line no more is kept: it names no module. */
const longestLine = 4 * longestText;

function lengthOf(bytes: Buffer): number {
  const length = bytes.length === 8 ? Number(bytes.readBigUInt64LE()) : bytes.readUIntLE(0, bytes.length);
  if (!Number.isSafeInteger(length)) throw new NotFollowed('a length is impossible');
  return length;
}

async function counted(reader: ByteReader, width: number, wantsText: boolean): Promise<Operand> {
  const length = lengthOf(await reader.take(width));
  if (wantsText && length <= longestText) return { text: (await reader.take(length)).toString('utf8') };
  await reader.skip(length);
  return {};
}

/** Text of protocol 0 as Python reads it: `\\x6fs` and `\\u006fs` are `os`. */
function unescaped(line: string): string {
  return line.replace(/\\(?:x([0-9a-f]{2})|u([0-9a-f]{4})|U([0-9a-f]{8})|([0-7]{1,3}))/gi, (_, ...codes) => {
    const [byte, short, long, octal] = codes as (string | undefined)[];
    const code =
      octal === undefined ? Number.parseInt(byte ?? short ?? long ?? '', 16) : Number.parseInt(octal, 8);
    return code <= 0x10ffff ? String.fromCodePoint(code) : '?';
  });
}

async function lineOperand(reader: ByteReader, { effect }: Opcode): Promise<Operand> {
  const line = (await reader.line(longestLine)).toString('utf8');
  if (effect === 'pushText' && line.length >= longestLine) return {};
  if (effect === 'pushText') return { text: unescaped(line.replace(/^\s*(['"])(.*)\1\s*$/s, '$2')) };
  return effect === 'get' || effect === 'put' ? { key: Number(line) } : {};
}

/** Reads an opcode's argument; only memo keys, short texts and imports are kept. */
async function operandOf(reader: ByteReader, opcode: Opcode): Promise<Operand> {
  const wantsText = opcode.effect === 'pushText';
  switch (opcode.argument) {
    case 'none':
      return {};
    case 'line':
      return lineOperand(reader, opcode);
    case 'lines': {
      const [module, name] = [
        await reader.line(longestLine),
        (await reader.line(longestLine)).toString('utf8'),
      ];
      return { imported: { module: module.toString('utf8'), name } };
    }
    case 'byte':
      return { key: (await reader.take(1)).readUInt8() };
    case 'two':
      await reader.take(2);
      return {};
    case 'four':
      return { key: (await reader.take(4)).readUInt32LE() };
    case 'eight':
      await reader.take(8);
      return {};
    case 'length1':
      return counted(reader, 1, wantsText);
    case 'length4':
      return counted(reader, 4, wantsText);
    case 'length8':
      return counted(reader, 8, wantsText);
  }
}

interface Course {
  readonly found: Map<string, Import>;
  steps: number;
  /** Where the present opcode is. */
  opcode: number;
}

/** Follows one pickle from its first opcode to its STOP. */
async function followOne(reader: ByteReader, machine: Machine, course: Course): Promise<void> {
  for (;;) {
    course.opcode = reader.position;
    const code = (await reader.take(1)).readUInt8();
    const opcode = opcodes.get(code);
    if (opcode === undefined) throw new NotFollowed(`byte ${reader.position - 1} is no opcode`);
    course.steps += 1;
    if (course.steps > mostSteps) throw new NotFollowed('it is longer than an inspection may take');
    const imported = machine.step(opcode, await operandOf(reader, opcode));
    if (imported !== undefined) course.found.set(`${imported.module} ${imported.name}`, imported);
    if (opcode.effect === 'stop') return;
  }
}

/**
 * Follows the pickles in a stream, one after another, without loading anything, and gives what they import.
 * Never throws for what is in the stream.
 */
export async function pickleImports(reader: ByteReader): Promise<PickleImports> {
  const course: Course = { found: new Map(), steps: 0, opcode: 0 };
  let whole = 0;
  let start = 0;
  try {
    for (;;) {
      start = reader.position;
      await followOne(reader, createMachine(), course);
      whole += 1;
    }
  } catch (error) {
    if (!(error instanceof EndOfBytes || error instanceof NotFollowed)) throw error;
    const ended = whole > 0 && error instanceof EndOfBytes && reader.position === start;
    const imports = [...course.found.values()];
    // What was taken for its argument may be where something else begins.
    reader.back(course.opcode);
    const isOverLimit = error instanceof OverLimit;
    return ended ? { imports, whole } : { imports, whole, brokenOff: error.message, isOverLimit };
  }
}
