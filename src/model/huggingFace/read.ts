import { createHash } from 'node:crypto';
import { DeliveryError } from '../../errors.ts';
import { discard, headerOf } from '../http/client.ts';
import { probeOf, startsAt } from '../http/identity.ts';
import { modelChanged, type PinnedFile, type ReadOptions } from '../store.ts';
import { bodyOf } from '../storeFailure.ts';
import { explainedStatuses, requireReadable } from './api.ts';
import { gitMark, type Repository } from './repository.ts';

/** The part wanted of a whole file, refused at its end when the file is not the git object. */
async function* comparedWithGit(
  body: AsyncIterable<Uint8Array>,
  file: PinnedFile,
  { offset, take }: Part,
): AsyncGenerator<Uint8Array> {
  // https://git-scm.com/book/en/v2/Git-Internals-Git-Objects
  const hash = createHash('sha1').update(`blob ${file.size}\0`);
  let position = 0;
  for await (const piece of body) {
    hash.update(piece);
    const [from, to] = [Math.max(0, offset - position), Math.max(0, offset + take - position)];
    position += piece.length;
    // Also when none of it is wanted: who waits for bytes sees that some came.
    yield piece.subarray(from, to);
  }
  const expected = file.etag.slice(gitMark.length);
  const found = hash.digest('hex');
  if (found === expected) return;
  throw new DeliveryError({
    code: 'MODEL_CORRUPT',
    side: 'storage',
    message: `'${file.name}' did not arrive as the hub has it: its git object is ${expected}, and what came is ${found}.`,
    remedy: 'Run again; if it repeats, look for a proxy or mirror that changes what passes.',
  });
}

/** Bytes of a file: from `offset` on, `take` of them. */
interface Part {
  readonly offset: number;
  readonly take: number;
}

/**
 * The bytes of a path at the file's commit. The hub redirects to where large files lie; the token stays with the hub.
 * A small file is always read as a whole, whatever part of it is wanted, and compared with its git object.
 */
export async function readAtCommit(
  { server, client, id }: Repository,
  path: string,
  file: PinnedFile,
  { signal, offset = 0, length = file.size }: ReadOptions,
): Promise<AsyncIterable<Uint8Array>> {
  signal.throwIfAborted();
  const take = Math.min(length, file.size - offset);
  const encoded = path.split('/').map(encodeURIComponent).join('/');
  const url = new URL(`${server.url}/${id}/resolve/${file.versionId}/${encoded}`);
  const isGit = file.etag.startsWith(gitMark);
  const partly = !isGit && take < file.size && take > 0;
  const range: Record<string, string> = partly ? { range: `bytes=${offset}-${offset + take - 1}` } : {};
  const expect = [...explainedStatuses, 410, 416];
  const answer = await client.get(url, range, { signal, expect });
  try {
    if (explainedStatuses.includes(answer.status)) requireReadable(answer, url, server);
  } catch (error) {
    discard(answer);
    throw error;
  }
  const { size } = probeOf(answer);
  const commit = headerOf(answer, 'x-repo-commit') ?? file.versionId;
  const isAsked =
    startsAt(answer, partly ? offset : 0) && (size ?? file.size) === file.size && commit === file.versionId;
  if (answer.status >= 400 || !isAsked) {
    discard(answer);
    throw modelChanged(file, new Error(`HTTP ${answer.status}, commit ${commit}`));
  }
  if (isGit) {
    const whole = bodyOf(answer.body, { skip: 0, take: file.size }, file, signal);
    return comparedWithGit(whole, file, { offset, take });
  }
  return bodyOf(answer.body, { skip: answer.status === 206 ? 0 : offset, take }, file, signal);
}
