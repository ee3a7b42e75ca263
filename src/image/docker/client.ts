import type { Readable } from 'node:stream';
import { request } from 'undici';
import { DeliveryError } from '../../errors.ts';
import type { Credentials } from '../../oci/auth.ts';
import type { EngineAddress } from './address.ts';

export interface EngineBuild {
  /** Name that the image gets in the engine. */
  readonly name: string;
  /** Path of the Dockerfile within the context. */
  readonly dockerfile: string;
  readonly buildArguments: Readonly<Record<string, string>>;
  /** For example `linux/amd64`. */
  readonly platform: string;
  /** For private base images, by registry host. */
  readonly credentials: Readonly<Record<string, Credentials>>;
  readonly context: () => AsyncIterable<Uint8Array>;
  /** One line of the build's log. */
  readonly onLine: (line: string) => void;
}

/** The few calls of the Docker Engine API that a build needs; engine 20.10 and newer. */
export interface EngineClient {
  /** Builds; gives the image's ID. Throws ENGINE_UNREACHABLE, or DOCKERFILE_FAILED with the failing step. */
  build(options: EngineBuild): Promise<string>;
  /** The ID of an image of this name; undefined when there is none. Throws ENGINE_UNREACHABLE. */
  find(name: string): Promise<string | undefined>;
  /** The image as `docker save` writes it. */
  export(image: string): AsyncIterable<Uint8Array>;
  /** Removes an image and those of its parents that no other needs. */
  remove(image: string): Promise<void>;
}

interface BuildMessage {
  readonly stream?: string;
  readonly status?: string;
  readonly id?: string;
  readonly error?: string;
  readonly aux?: { readonly ID?: string };
}

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

function failed(step: string, reason: string): DeliveryError {
  return new DeliveryError({
    code: 'DOCKERFILE_FAILED',
    side: 'application',
    message: step === '' ? 'The Dockerfile could not be built.' : `The Dockerfile failed at: ${step}`,
    remedy: 'The lines above are the output of that step. Correct it, and try it with docker build.',
    cause: new Error(reason),
  });
}

/** JSON documents of a stream, one a line. */
async function* documents(body: AsyncIterable<Uint8Array>): AsyncGenerator<BuildMessage> {
  const decoder = new TextDecoder();
  let rest = '';
  for await (const part of body) {
    const lines = (rest + decoder.decode(part, { stream: true })).split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) if (line.trim() !== '') yield JSON.parse(line) as BuildMessage;
  }
  if (rest.trim() !== '') yield JSON.parse(rest) as BuildMessage;
}

/** Follows the build to its image, its lines passed on; pull progress is left out. */
async function followBuild(body: AsyncIterable<Uint8Array>, onLine: (line: string) => void): Promise<string> {
  let step = '';
  let image: string | undefined;
  for await (const message of documents(body)) {
    if (message.error !== undefined) throw failed(step, message.error);
    image = message.aux?.ID ?? image;
    if (message.status !== undefined && message.id === undefined) onLine(message.status);
    for (const line of (message.stream ?? '').split(/\r?\n|\r/).filter((text) => text.trim() !== '')) {
      if (/^Step \d+\/\d+ : /.test(line)) step = line.replace(/^Step \d+\/\d+ : /, '');
      onLine(line);
    }
  }
  if (image === undefined) throw failed(step, 'the engine named no image');
  return image;
}

function buildQuery(options: EngineBuild): string {
  return new URLSearchParams({
    t: options.name,
    dockerfile: options.dockerfile,
    buildargs: JSON.stringify(options.buildArguments),
    platform: options.platform,
    rm: '1',
    forcerm: '1',
    version: '1',
  }).toString();
}

/** Base64 for URLs, with the padding that the engine insists on. */
function registryConfig(options: EngineBuild): string {
  const text = Buffer.from(JSON.stringify(options.credentials)).toString('base64');
  return text.replaceAll('+', '-').replaceAll('/', '_');
}

/** A client of the engine at this address. Source: https://docs.docker.com/reference/api/engine/ */
export function createEngineClient(address: EngineAddress, signal: AbortSignal): EngineClient {
  const { url, dispatcher } = address;

  const call = async (
    method: 'GET' | 'POST' | 'DELETE',
    path: string,
    extra: { headers?: Record<string, string>; body?: AsyncIterable<Uint8Array>; expect?: number } = {},
  ) => {
    // undici takes any async iterable; its types name streams alone.
    const body = (extra.body ?? null) as Readable | null;
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

  return {
    async build(options) {
      const response = await call('POST', `/build?${buildQuery(options)}`, {
        headers: { 'content-type': 'application/x-tar', 'x-registry-config': registryConfig(options) },
        body: options.context(),
      });
      return await followBuild(response.body as AsyncIterable<Uint8Array>, options.onLine);
    },
    async find(name) {
      const response = await call('GET', `/images/${encodeURIComponent(name)}/json`, { expect: 404 });
      const found = (await response.body.json()) as { readonly Id?: string };
      return response.statusCode === 404 ? undefined : found.Id;
    },
    async *export(image) {
      const response = await call('GET', `/images/${encodeURIComponent(image)}/get`);
      yield* response.body as AsyncIterable<Uint8Array>;
    },
    async remove(image) {
      const response = await call('DELETE', `/images/${encodeURIComponent(image)}`);
      await response.body.dump();
    },
  };
}
