import { blockSize, paddingOf } from '../../tar/header.ts';
import type { BlobWindow } from './window.ts';

/** A file within an uncompressed archive. */
export interface TarFile {
  readonly path: string;
  /** Where its first byte stands in the archive. */
  readonly offset: number;
  readonly size: number;
}

/** The bytes are not those of a tar archive. */
export class NotAnArchive extends Error {}

/** What an extended header says of the entry that follows it. */
interface Extended {
  readonly path?: string;
  readonly size?: number;
}

/** Extended headers are short; a larger one is no header. */
const largestExtended = 1024 * 1024;

function textAt(block: Buffer, offset: number, length: number): string {
  const field = block.subarray(offset, offset + length);
  const end = field.indexOf(0);
  return field.subarray(0, end < 0 ? length : end).toString('utf8');
}

/** Octal digits, or, for what these cannot hold, the base-256 form of GNU tar. */
function numberAt(block: Buffer, offset: number, length: number): number {
  const field = block.subarray(offset, offset + length);
  if (((field[0] ?? 0) & 0x80) === 0) return Number.parseInt(textAt(block, offset, length).trim() || '0', 8);
  return field.subarray(1).reduce((value, byte) => value * 256 + byte, 0);
}

function checkSum(block: Buffer): boolean {
  let sum = 8 * 0x20;
  for (const [at, byte] of block.entries()) if (at < 148 || at >= 156) sum += byte;
  return sum === numberAt(block, 148, 8);
}

/** Records `<length> <key>=<value>\n`; POSIX.1-2017, pax, "pax Extended Header". */
function paxRecords(content: Buffer): Extended {
  const records = new Map<string, string>();
  for (let at = 0; at < content.length; ) {
    const space = content.indexOf(0x20, at);
    const length = Number(content.subarray(at, space).toString('latin1'));
    if (space < 0 || !(length > 0)) throw new NotAnArchive('an extended header cannot be read');
    const [key = '', ...value] = content
      .subarray(space + 1, at + length - 1)
      .toString('utf8')
      .split('=');
    records.set(key, value.join('='));
    at += length;
  }
  const [path, size] = [records.get('path'), records.get('size')];
  return { ...(path !== undefined && { path }), ...(size !== undefined && { size: Number(size) }) };
}

function nameOf(block: Buffer): string {
  const prefix = textAt(block, 257, 6) === 'ustar' && block[262] === 0 ? textAt(block, 345, 155) : '';
  const name = textAt(block, 0, 100);
  return prefix === '' ? name : `${prefix}/${name}`;
}

async function extendedAt(window: BlobWindow, type: string, at: number, size: number): Promise<Extended> {
  if (size > largestExtended) throw new NotAnArchive('an extended header is too long');
  const content = await window.at(at, size);
  return type === 'x' ? paxRecords(content) : { path: textAt(content, 0, size) };
}

interface Entry extends TarFile {
  readonly type: string;
  /** Position of the next entry's header. */
  readonly next: number;
}

/** The entry whose header is at this position; undefined for the zeros that end an archive. */
async function entryAt(
  window: BlobWindow,
  position: number,
  size: number,
  extended: Extended,
): Promise<Entry | undefined> {
  const block = await window.at(position, blockSize);
  if (block.every((byte) => byte === 0)) return undefined;
  if (!checkSum(block)) throw new NotAnArchive(`there is no header at byte ${position}`);
  const length = extended.size ?? numberAt(block, 124, 12);
  const offset = position + blockSize;
  if (!(offset + length <= size)) throw new NotAnArchive('an entry is longer than the archive');
  const path = (extended.path ?? nameOf(block)).replace(/^\.?\//, '');
  const type = String.fromCharCode(block[156] ?? 0);
  return { path, offset, size: length, type, next: offset + length + paddingOf(length) };
}

/**
 * The ordinary files of an archive, found by its headers alone: what lies between them is not read.
 * Throws NotAnArchive.
 */
export async function* tarFiles(window: BlobWindow, size: number): AsyncGenerator<TarFile> {
  let extended: Extended = {};
  for (let position = 0; position + blockSize <= size; ) {
    const entry = await entryAt(window, position, size, extended);
    if (entry === undefined) return;
    position = entry.next;
    if (entry.type === 'x' || entry.type === 'L') {
      extended = { ...extended, ...(await extendedAt(window, entry.type, entry.offset, entry.size)) };
      continue;
    }
    if (entry.type !== 'g') extended = {};
    const { path, offset, size: length } = entry;
    if (/[07\0]/.test(entry.type) && !path.endsWith('/')) yield { path, offset, size: length };
  }
}
