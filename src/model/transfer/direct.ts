import { DeliveryError } from '../../errors.ts';
import { createDirectClient } from '../../http/direct/client.ts';
import { UnsuitableAnswer } from '../../http/direct/connection.ts';
import type { AnswerHead } from '../../http/direct/head.ts';
import { installedNetwork } from '../../http/network/network.ts';
import { answerText, type HeaderFields, withOwnHeaders } from '../../http/ownRequest.ts';
import { isTemporaryStatus, parseRetryAfter } from '../../http/retry.ts';
import {
  type DirectRead,
  type ModelStore,
  type PinnedFile,
  type ReadOptions,
  StoreBusyError,
} from '../store.ts';

type Part = Required<ReadOptions>;

/** Reads past the store's own client: the store only says by which request. */
export interface DirectLane {
  /**
   * Hands a part's bytes on, which are overwritten afterwards. False when nothing came because the store must be
   * asked itself: it knows no such request, or the answer is one that only it can follow or explain.
   * Throws STORAGE_INTERRUPTED, STORAGE_BUSY or what `take` throws.
   */
  read(file: PinnedFile, part: Part, take: (bytes: Uint8Array) => void): Promise<boolean>;
  close(): void;
}

/** A request for a file's bytes that ended too early. */
export function brokenOff({ name }: Pick<PinnedFile, 'name'>, problem: string): DeliveryError {
  return new DeliveryError({
    code: 'STORAGE_INTERRUPTED',
    side: 'storage',
    message: `Reading '${name}' broke off: ${problem}.`,
    remedy: 'Run again; if it repeats, look for a proxy or firewall that cuts or stalls long connections.',
  });
}

/** Exactly the part that was asked for, of exactly the pinned file. RFC 9110, sections 14.4 and 15.3.7. */
function isAsked(
  { status, headers }: AnswerHead,
  length: number,
  file: PinnedFile,
  part: Part,
  etag: string,
): boolean {
  const { offset } = part;
  const range = `bytes ${offset}-${offset + part.length - 1}/${file.size}`;
  const whole = offset === 0 && part.length === file.size;
  const covers = status === 206 ? headers.get('content-range') === range : status === 200 && whole;
  return covers && length === part.length && headers.get('etag') === etag;
}

function busy({ status, headers }: AnswerHead, url: string, sent: HeaderFields): StoreBusyError {
  const details = {
    message: `The model storage ${new URL(url).origin} is overloaded or failing.`,
    remedy: "Run again later; the storage's metrics show whether it is throttled.",
    cause: new Error(answerText(status, sent, Object.fromEntries(headers))),
  };
  return new StoreBusyError(details, parseRetryAfter(headers.get('retry-after')));
}

/** The error of an answer that another attempt may not meet; undefined where the store has to be asked. */
function refusal({ head }: UnsuitableAnswer, { url, headers }: DirectRead): StoreBusyError | undefined {
  return head !== undefined && isTemporaryStatus(head.status) ? busy(head, url, headers) : undefined;
}

/** What `take` throws passes unchanged; all else is the connection's. */
function explained(error: unknown, file: PinnedFile): unknown {
  if (error instanceof DeliveryError) return error;
  return brokenOff(file, error instanceof Error ? error.message : String(error));
}

/** Direct reading for one transfer; close it when the transfer has ended. */
export function openLane(store: ModelStore, stallMs: number): DirectLane {
  const network = installedNetwork();
  const client = createDirectClient({ stallMs, tls: network?.trust ?? {} });
  // A server that redirects, packs or divides its answers does so for each: it is not tried again.
  let suits = store.direct !== undefined;
  return {
    async read(file, part, take) {
      const given = suits ? await store.direct?.(file, part) : undefined;
      const request = given && { ...given, headers: withOwnHeaders(given.headers) };
      // Through a proxy's tunnel nothing is gained by reading past the store's client.
      if (request === undefined || network?.proxyFor(new URL(request.url)) !== undefined) return false;
      const wants = (head: AnswerHead, length: number) => isAsked(head, length, file, part, request.etag);
      try {
        await client.get(request, { wants, body: take }, part.signal);
        return true;
      } catch (error) {
        part.signal.throwIfAborted();
        if (!(error instanceof UnsuitableAnswer)) throw explained(error, file);
        const refused = refusal(error, request);
        if (refused !== undefined) throw refused;
        suits &&= error.head !== undefined && error.head.status >= 400;
        return false;
      }
    },
    close: () => client.close(),
  };
}
