import type { DeliveryError } from '../../errors.ts';
import type { Credentials } from '../../oci/auth.ts';
import type { EngineAddress } from './address.ts';
import { createEngineCall, jsonLines } from './call.ts';
import { lineOfInstruction } from './dockerfile.ts';
import { dockerfileFailed } from './failed.ts';

export interface EngineBuild {
  /** Name that the image gets in the engine. */
  readonly name: string;
  /** Path of the Dockerfile within the context. */
  readonly dockerfile: string;
  /** Its text, to say in which line a build failed. */
  readonly dockerfileText: string;
  /** The stage to build; the last one when absent. */
  readonly target?: string;
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

/** Follows the build to its image, its lines passed on; pull progress is left out. */
async function followBuild(
  body: AsyncIterable<Uint8Array>,
  { dockerfileText, onLine }: EngineBuild,
): Promise<string> {
  const failed = (reason: string): DeliveryError =>
    dockerfileFailed({ step, line: lineOfInstruction(dockerfileText, step), reason });
  let step = '';
  let image: string | undefined;
  for await (const message of jsonLines<BuildMessage>(body)) {
    if (message.error !== undefined) throw failed(message.error);
    image = message.aux?.ID ?? image;
    if (message.status !== undefined && message.id === undefined) onLine(message.status);
    for (const line of (message.stream ?? '').split(/\r?\n|\r/).filter((text) => text.trim() !== '')) {
      if (/^Step \d+\/\d+ : /.test(line)) step = line.replace(/^Step \d+\/\d+ : /, '');
      onLine(line);
    }
  }
  if (image === undefined) throw failed('the engine named no image');
  return image;
}

function buildQuery(options: EngineBuild): string {
  return new URLSearchParams({
    t: options.name,
    dockerfile: options.dockerfile,
    buildargs: JSON.stringify(options.buildArguments),
    platform: options.platform,
    ...(options.target === undefined ? {} : { target: options.target }),
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
  const call = createEngineCall(address, signal);

  return {
    async build(options) {
      const response = await call('POST', `/build?${buildQuery(options)}`, {
        headers: { 'content-type': 'application/x-tar', 'x-registry-config': registryConfig(options) },
        body: options.context(),
      });
      return await followBuild(response.body as AsyncIterable<Uint8Array>, options);
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
