import { DeliveryError } from '../../errors.ts';
import { digestsOf, type KnownDigests } from '../checksums.ts';
import type { PinnedFile } from '../store.ts';
import { type HttpAnswer, headerOf } from './client.ts';

/** What a server says of a file without giving it. */
export interface Probe {
  readonly size: number | undefined;
  /** Identity by which later answers are recognised; undefined when the server gives nothing to recognise it by. */
  readonly identity: string | undefined;
  readonly lastModified: Date | undefined;
  /** Parts can be asked for, and are pinned. */
  readonly ranged: boolean;
  /** Digests of the whole file that the headers tell. */
  readonly digests: KnownDigests;
}

/** True for an ETag that means equality of every byte; RFC 9110, section 8.8.1. */
export function isStrong(identity: string): boolean {
  return identity.startsWith('"');
}

function modifiedOf(answer: HttpAnswer): Date | undefined {
  const time = Date.parse(headerOf(answer, 'last-modified') ?? '');
  return Number.isNaN(time) ? undefined : new Date(time);
}

function identityOf(answer: HttpAnswer): string | undefined {
  const etag = headerOf(answer, 'etag');
  if (etag !== undefined && /^(W\/)?"/.test(etag)) return etag;
  const modified = modifiedOf(answer);
  return modified === undefined ? undefined : `modified-${modified.toISOString().replace(/[-:]|\.000/g, '')}`;
}

/** The file's whole length; of a part it is the number after the slash (RFC 9110, section 14.4). */
function sizeOf(answer: HttpAnswer): number | undefined {
  const text =
    answer.status === 206
      ? /\/(\d+)$/.exec(headerOf(answer, 'content-range') ?? '')?.[1]
      : headerOf(answer, 'content-length');
  return text === undefined ? undefined : Number(text);
}

/** Reads an answer's headers. */
export function probeOf(answer: HttpAnswer): Probe {
  const identity = identityOf(answer);
  return {
    size: sizeOf(answer),
    identity,
    lastModified: modifiedOf(answer),
    ranged: answer.status === 206 && identity !== undefined && isStrong(identity),
    digests: digestsOf(answer.status, (name) => headerOf(answer, name)),
  };
}

/** Begins the identity of a file whose server tells none: it is of a version that its registry never changes. */
export const versionMark = 'version:';

/** Whether an answer is of the listed file: same identity, same length. */
export function isSameFile(answer: HttpAnswer, file: PinnedFile): boolean {
  const { size, identity } = probeOf(answer);
  const named = file.etag.startsWith('sha256:') || file.etag.startsWith(versionMark);
  const sameBytes = named || identity === file.etag;
  return sameBytes && (size === undefined || size === file.size);
}

/** Whether an answer's body starts at this offset, or is the whole file. */
export function startsAt(answer: HttpAnswer, offset: number): boolean {
  const first = /^bytes (\d+)-/.exec(headerOf(answer, 'content-range') ?? '')?.[1];
  return answer.status !== 206 || Number(first) === offset;
}

/** The server gives a file that nothing tells from another version of it. */
export function unpinnable(where: string, lacking: string): DeliveryError {
  return new DeliveryError({
    code: 'MODEL_UNPINNABLE',
    side: 'storage',
    message: `The server of ${where} sends ${lacking}, so a change of the file could not be noticed.`,
    remedy:
      "Let the server send Content-Length and ETag, or name size and sha256 in an index document and that in 'url'.",
  });
}
