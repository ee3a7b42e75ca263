import { DeliveryError } from '../errors.ts';
import { isTemporaryNetworkError } from '../http/retry.ts';
import type { PinnedFile } from './store.ts';

/** What stands at the bottom of the causes: the socket's or the resolver's own error. */
function networkCause(error: Error): Error {
  let bottom = error;
  while (bottom.cause instanceof Error) bottom = bottom.cause;
  const [first] = bottom instanceof AggregateError ? bottom.errors : [];
  return first instanceof Error ? first : bottom;
}

function codeOf(error: Error): string {
  const { code } = networkCause(error) as { readonly code?: unknown };
  return typeof code === 'string' ? code : '';
}

const certificateCodes = /^(CERT_|DEPTH_ZERO|SELF_SIGNED|UNABLE_TO_|ERR_TLS|HOSTNAME_MISMATCH)/;

/** True for an error of the network or of TLS, below any answer of the service. */
export function isNetworkError(error: unknown): error is Error {
  if (!(error instanceof Error)) return false;
  return isTemporaryNetworkError(error) || /^(E[A-Z]+$|UND_ERR_)/.test(codeOf(error)) || isUntrusted(error);
}

function isUntrusted(error: Error): boolean {
  return certificateCodes.test(codeOf(error));
}

/** A storage that did not answer: STORAGE_UNTRUSTED or STORAGE_UNREACHABLE. `input` names where its address comes from. */
export function unreachable(error: Error, endpoint: string, input: string): DeliveryError {
  const { host } = new URL(endpoint);
  const cause = networkCause(error);
  if (isUntrusted(error)) {
    return new DeliveryError({
      code: 'STORAGE_UNTRUSTED',
      side: 'storage',
      message: `The certificate that ${host} showed is not trusted by this agent.`,
      remedy: 'Give the agent the authority that signed it (config --sslcacert, or NODE_EXTRA_CA_CERTS).',
      cause,
    });
  }
  const unknownName = /^(ENOTFOUND|EAI_AGAIN)$/.test(codeOf(error));
  return new DeliveryError({
    code: 'STORAGE_UNREACHABLE',
    side: 'storage',
    message: `The model storage ${endpoint} ${unknownName ? 'has a host name that this agent cannot resolve' : 'cannot be reached from this agent'}.`,
    remedy: unknownName
      ? `Check the spelling of '${input}', and the agent's DNS.`
      : `Check that '${input}' is right and that the agent may reach it: network, proxy, private endpoint.`,
    cause,
  });
}

/** The connection broke in the middle of a body. */
export function interrupted(file: Pick<PinnedFile, 'name'>, cause: unknown): DeliveryError {
  return new DeliveryError({
    code: 'STORAGE_INTERRUPTED',
    side: 'storage',
    message: `The connection broke while '${file.name}' was read.`,
    remedy: 'Run again; if it repeats, look for a proxy or firewall that cuts long connections.',
    cause,
  });
}

/** A file's bytes from an answer's body: without the first `skip`, at most `take`; a broken body is explained. */
export async function* bodyOf(
  body: AsyncIterable<unknown>,
  part: { readonly skip: number; readonly take: number },
  file: Pick<PinnedFile, 'name'>,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array> {
  let skip = part.skip;
  let left = part.take;
  try {
    for await (const piece of body as AsyncIterable<Uint8Array>) {
      const wanted = piece.subarray(skip, skip + left);
      skip -= Math.min(skip, piece.length);
      left -= wanted.length;
      // Also when all of it is skipped: who waits for bytes sees that some came.
      yield wanted;
      // What was not asked for is not waited for.
      if (left === 0) return;
    }
  } catch (error) {
    signal.throwIfAborted();
    throw interrupted(file, error);
  }
}
