import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Agent } from 'undici';
import { DeliveryError } from '../../errors.ts';

/** Where an engine listens. */
export interface EngineAddress {
  /** As a person would name it, for example `unix:///var/run/docker.sock`. */
  readonly name: string;
  /** Scheme and host for request URLs. */
  readonly url: string;
  readonly dispatcher: Agent;
}

/** A build may be silent for as long as one of its steps. */
const timeouts = { headersTimeout: 0, bodyTimeout: 0 };

function unsupported(name: string): DeliveryError {
  return new DeliveryError({
    code: 'ENGINE_ADDRESS_INVALID',
    side: 'input',
    message: `DOCKER_HOST is '${name}', which is no address that can be used.`,
    remedy: 'Set it to unix:///path, npipe:////./pipe/name or tcp://host:port, or leave it out.',
  });
}

function clientCertificates(
  environment: NodeJS.ProcessEnv,
): { ca: Buffer; cert: Buffer; key: Buffer } | undefined {
  const folder = environment['DOCKER_CERT_PATH'];
  if (!environment['DOCKER_TLS_VERIFY'] || folder === undefined) return undefined;
  const [ca, cert, key] = ['ca.pem', 'cert.pem', 'key.pem'].map((file) => readFileSync(join(folder, file)));
  return ca && cert && key ? { ca, cert, key } : undefined;
}

/**
 * The engine that Docker's own client would use, but for its contexts.
 * https://docs.docker.com/reference/cli/docker/#environment-variables
 */
export function engineAddress(environment: NodeJS.ProcessEnv, platform: NodeJS.Platform): EngineAddress {
  const usual = platform === 'win32' ? 'npipe:////./pipe/docker_engine' : 'unix:///var/run/docker.sock';
  const name = environment['DOCKER_HOST']?.trim() || usual;
  const [, scheme, rest = ''] = /^(unix|npipe|tcp|http):\/\/(.+)$/.exec(name) ?? [];
  if (scheme === undefined) throw unsupported(name);
  if (scheme === 'unix' || scheme === 'npipe') {
    const socketPath = scheme === 'npipe' ? rest.replaceAll('/', '\\') : rest;
    return { name, url: 'http://engine', dispatcher: new Agent({ connect: { socketPath }, ...timeouts }) };
  }
  const certificates = clientCertificates(environment);
  const url = `${certificates === undefined ? 'http' : 'https'}://${rest}`;
  if (!URL.canParse(url)) throw unsupported(name);
  return { name, url, dispatcher: new Agent({ connect: { ...certificates }, ...timeouts }) };
}
