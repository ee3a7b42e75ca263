/** One entry of a layer. Owner is root and the time is 0 in all of them, so that equal content gives equal bytes. */
export interface TarEntry {
  /** Path in the image without leading slash; folders without trailing slash. */
  readonly path: string;
  readonly type: 'file' | 'folder' | 'link';
  /** Bytes of a file; 0 otherwise. */
  readonly size: number;
  /** Whether a file can be executed. */
  readonly executable?: boolean;
  /** What a symbolic link points to. */
  readonly target?: string;
}

export const blockSize = 512;
/** The largest size that fits the header's 11 octal digits. */
const largestSize = 8 ** 11 - 1;

const typeFlags = { file: '0', folder: '5', link: '2' } as const;

function octal(value: number, digits: number): string {
  return `${value.toString(8).padStart(digits, '0')}\0`;
}

interface Fields {
  readonly name: string;
  readonly mode: number;
  readonly size: number;
  readonly type: string;
  readonly linkName: string;
}

/** A ustar header block; POSIX.1-2017, pax, "ustar Interchange Format". */
function block(fields: Fields): Buffer {
  const header = Buffer.alloc(blockSize);
  const put = (text: string, offset: number): void => void header.write(text, offset, 'latin1');
  put(fields.name, 0);
  put(octal(fields.mode, 7), 100);
  put(octal(0, 7), 108);
  put(octal(0, 7), 116);
  put(octal(fields.size, 11), 124);
  put(octal(0, 11), 136);
  put('        ', 148);
  put(fields.type, 156);
  put(fields.linkName, 157);
  put('ustar\x0000', 257);
  put(octal(0, 7), 329);
  put(octal(0, 7), 337);
  let sum = 0;
  for (const byte of header) sum += byte;
  put(`${sum.toString(8).padStart(6, '0')}\0 `, 148);
  return header;
}

/** A pax record says its own length, its digits included. */
function paxRecord(key: string, value: string): Buffer {
  const rest = Buffer.from(` ${key}=${value}\n`, 'utf8');
  let length = rest.byteLength + 1;
  while (String(length).length + rest.byteLength !== length) length = String(length).length + rest.byteLength;
  return Buffer.concat([Buffer.from(String(length), 'latin1'), rest]);
}

/** Zeros after content of this size, up to the next whole block. */
export function paddingOf(size: number): number {
  return (blockSize - (size % blockSize)) % blockSize;
}

function fits(text: string): boolean {
  // A ustar field takes 100 printable ASCII characters.
  return text.length <= 100 && /^[\x20-\x7e]*$/.test(text);
}

function extended(entry: TarEntry, name: string): readonly Buffer[] {
  const records = [
    ...(fits(name) ? [] : [paxRecord('path', name)]),
    ...(fits(entry.target ?? '') ? [] : [paxRecord('linkpath', entry.target ?? '')]),
    ...(entry.size > largestSize ? [paxRecord('size', String(entry.size))] : []),
  ];
  if (records.length === 0) return [];
  const content = Buffer.concat(records);
  const header = block({ name: 'pax', mode: 0o644, size: content.byteLength, type: 'x', linkName: '' });
  return [header, content, Buffer.alloc(paddingOf(content.byteLength))];
}

function ascii(text: string): string {
  return fits(text) ? text : text.replace(/[^\x20-\x7e]/g, '_').slice(0, 100);
}

/** All header bytes of an entry: a pax header where the name or size needs it, then the ustar header. */
export function tarHeader(entry: TarEntry): Buffer {
  const name = entry.type === 'folder' ? `${entry.path}/` : entry.path;
  const mode = entry.type === 'link' ? 0o777 : entry.type === 'folder' || entry.executable ? 0o755 : 0o644;
  const header = block({
    name: ascii(name),
    mode,
    size: entry.size > largestSize ? 0 : entry.size,
    type: typeFlags[entry.type],
    linkName: ascii(entry.target ?? ''),
  });
  return Buffer.concat([...extended(entry, name), header]);
}
