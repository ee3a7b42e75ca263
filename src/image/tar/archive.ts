import { blockSize, paddingOf, type TarEntry, tarHeader } from './header.ts';

/** An entry with its content, which is read only when the archive is. */
export interface TarMember extends TarEntry {
  /** Exactly `size` bytes from `offset` on; absent for folders and links. */
  readonly open?: (offset: number) => AsyncIterable<Uint8Array>;
}

/** A tar archive that exists as a description only: it can be read from any byte, any number of times. */
export interface Archive {
  /** Bytes of the whole archive. */
  readonly size: number;
  /** Where each file's content lies. */
  readonly contents: readonly { readonly path: string; readonly start: number; readonly size: number }[];
  open(offset?: number): AsyncIterable<Uint8Array>;
}

interface Segment {
  readonly start: number;
  readonly size: number;
  open(offset: number): AsyncIterable<Uint8Array>;
}

async function* bytes(content: Buffer, offset: number): AsyncGenerator<Uint8Array> {
  if (offset < content.byteLength) yield content.subarray(offset);
}

function fixed(start: number, content: Buffer): Segment {
  return { start, size: content.byteLength, open: (offset) => bytes(content, offset) };
}

interface Layout {
  readonly segments: readonly Segment[];
  readonly contents: Archive['contents'];
}

function layOut(members: readonly TarMember[]): Layout {
  const segments: Segment[] = [];
  const contents: { path: string; start: number; size: number }[] = [];
  let position = 0;
  const add = (segment: Segment): void => {
    segments.push(segment);
    position += segment.size;
  };
  for (const member of members) {
    add(fixed(position, tarHeader(member)));
    if (member.open === undefined || member.size === 0) continue;
    contents.push({ path: member.path, start: position, size: member.size });
    add({ start: position, size: member.size, open: member.open });
    add(fixed(position, Buffer.alloc(paddingOf(member.size))));
  }
  add(fixed(position, Buffer.alloc(2 * blockSize)));
  return { segments, contents };
}

/** The archive of these members in this order. Headers are kept in memory, contents are not. */
export function createArchive(members: readonly TarMember[]): Archive {
  const { segments, contents } = layOut(members);
  const last = segments.at(-1);
  return {
    size: last === undefined ? 0 : last.start + last.size,
    contents,
    async *open(offset = 0) {
      for (const segment of segments) {
        const end = segment.start + segment.size;
        if (end > offset) yield* segment.open(Math.max(0, offset - segment.start));
      }
    },
  };
}
