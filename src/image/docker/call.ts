import type { Readable } from 'node:stream';
import { type Dispatcher, request } from 'undici';
import { DeliveryError } from '../../errors.ts';
import type { EngineAddress } from './address.ts';

export interface EngineRequest {
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: AsyncIterable<Uint8Array> | string;
  /** A status from 300 on that is an answer too. */
  readonly expect?: number;
}

/** One request to the engine. Throws ENGINE_UNREACHABLE or ENGINE_REFUSED. */
export type EngineCall = (
  method: 'GET' | 'POST' | 'DELETE',
  path: string,
  extra?: EngineRequest,
) => Promise<Dispatcher.ResponseData>;

function unreachable(address: EngineAddress, cause: unknown): DeliveryError {
  return new DeliveryError({
    code: 'ENGINE_UNREACHABLE',
    side: 'engine',
    message: `No Docker engine answers at ${address.name}.`,
    remedy:
      "Start Docker on the agent (and let the agent's user use its socket), set DOCKER_HOST, or use 'engine: registry', which needs none.",
    cause,
  });
}

function refused(address: EngineAddress, status: number, body: string): DeliveryError {
  let message = body;
  try {
    message = String((JSON.parse(body) as { message?: unknown }).message ?? body);
  } catch {
    // Not every error of an engine is JSON.
  }
  return new DeliveryError({
    code: 'ENGINE_REFUSED',
    side: 'engine',
    message: `The Docker engine at ${address.name} refused the request (HTTP ${status}).`,
    remedy: "Correct what it names; look at the engine's own log if it does not help.",
    cause: new Error(message.trim().slice(0, 2000)),
  });
}

/** JSON documents of a stream, one a line. */
export async function* jsonLines<T>(body: AsyncIterable<Uint8Array>): AsyncGenerator<T> {
  const decoder = new TextDecoder();
  let rest = '';
  for await (const part of body) {
    const lines = (rest + decoder.decode(part, { stream: true })).split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) if (line.trim() !== '') yield JSON.parse(line) as T;
  }
  if (rest.trim() !== '') yield JSON.parse(rest) as T;
}

/** Requests to the engine at this address, ended by the signal. */
export function createEngineCall(address: EngineAddress, signal: AbortSignal): EngineCall {
  const { url, dispatcher } = address;
  return async (method, path, extra = {}) => {
    // undici takes any async iterable; its types name streams alone.
    const body = (extra.body ?? null) as Readable | string | null;
    const headers = extra.headers ?? {};
    const response = await request(`${url}${path}`, { method, headers, body, signal, dispatcher }).catch(
      (cause: unknown) => {
        signal.throwIfAborted();
        throw cause instanceof DeliveryError ? cause : unreachable(address, cause);
      },
    );
    if (response.statusCode < 300 || response.statusCode === extra.expect) return response;
    throw refused(address, response.statusCode, await response.body.text());
  };
}
