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

/** Where a member lies in the archive. Its header is made anew when it is read: a million of them stay small. */
interface Place {
  readonly member: TarMember;
  readonly start: number;
  readonly headerSize: number;
}

const zeros = Buffer.alloc(2 * blockSize);
/** Parts below this size are joined up to it: each part costs the receiver a write of its own. */
const joinUpTo = 256 * 1024;

function contentSize(member: TarMember): number {
  return member.open === undefined ? 0 : member.size;
}

function endOf({ member, start, headerSize }: Place): number {
  const size = contentSize(member);
  return start + headerSize + size + paddingOf(size);
}

function layOut(members: readonly TarMember[]): readonly Place[] {
  let start = 0;
  return members.map((member) => {
    const place = { member, start, headerSize: tarHeader(member).byteLength };
    start = endOf(place);
    return place;
  });
}

/** One member's bytes: header, content, zeros up to a whole block. */
async function* readPlace({ member, start, headerSize }: Place, offset: number): AsyncGenerator<Uint8Array> {
  const size = contentSize(member);
  const from = Math.max(0, offset - start);
  if (from < headerSize) yield tarHeader(member).subarray(from);
  const read = Math.max(0, from - headerSize);
  if (read < size && member.open !== undefined) yield* member.open(read);
  const padded = Math.max(0, read - size);
  if (padded < paddingOf(size)) yield zeros.subarray(padded, paddingOf(size));
}

function contentsOf(places: readonly Place[]): Archive['contents'] {
  return places
    .filter(({ member }) => contentSize(member) > 0)
    .map(({ member, start, headerSize }) => ({
      path: member.path,
      start: start + headerSize,
      size: member.size,
    }));
}

async function* readAll(places: readonly Place[], offset: number): AsyncGenerator<Uint8Array> {
  for (const place of places) if (endOf(place) > offset) yield* readPlace(place, offset);
  const last = places.at(-1);
  const end = last === undefined ? 0 : endOf(last);
  yield zeros.subarray(Math.max(0, offset - end));
}

async function* joined(parts: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  let waiting: Uint8Array[] = [];
  let size = 0;
  for await (const part of parts) {
    if (part.byteLength >= joinUpTo && size === 0) {
      yield part;
      continue;
    }
    waiting.push(part);
    size += part.byteLength;
    if (size < joinUpTo) continue;
    yield Buffer.concat(waiting, size);
    waiting = [];
    size = 0;
  }
  if (size > 0) yield Buffer.concat(waiting, size);
}

/** The archive of these members in this order; nothing of their contents is kept in memory. */
export function createArchive(members: readonly TarMember[]): Archive {
  const places = layOut(members);
  const last = places.at(-1);
  let contents: Archive['contents'] | undefined;
  return {
    size: (last === undefined ? 0 : endOf(last)) + zeros.byteLength,
    // Made when it is asked for: an application of a million files is never asked.
    get contents() {
      contents ??= contentsOf(places);
      return contents;
    },
    open: (offset = 0) => joined(readAll(places, offset)),
  };
}
