import { posix } from 'node:path';
import { DeliveryError } from '../../src/errors.ts';
import type { EngineName } from '../../src/image/builder.ts';
import { type Libc, parseLibc } from '../../src/image/python/target.ts';
import type { Platform } from '../../src/oci/types.ts';

/** The error for an input with a wrong value. */
export function invalid(name: string, problem: string, remedy: string): DeliveryError {
  const message = `Input '${name}' ${problem}.`;
  return new DeliveryError({ code: 'INPUT_INVALID', side: 'input', message, remedy });
}

/** Inputs of other engines are refused: nothing that was written is left out silently. Throws INPUT_INVALID. */
export function refuse<N extends string>(
  raw: Readonly<Record<N, { toString(): string } | undefined>>,
  engine: EngineName | 'auto',
  names: readonly N[],
): void {
  const set = names.find((name) => raw[name] !== undefined && raw[name].toString() !== '');
  if (set === undefined) return;
  throw invalid(
    set,
    engine === 'auto' ? "has no meaning with a 'dockerfile'" : `has no meaning with engine '${engine}'`,
    `Leave '${set}' empty, or choose another engine.`,
  );
}

/** `NAME=value` lines. Throws INPUT_INVALID. */
export function pairs(name: string, given: readonly string[]): Readonly<Record<string, string>> {
  const entries = given.map((line) => {
    const equals = line.indexOf('=');
    if (equals < 1)
      throw invalid(name, `has the line '${line.slice(0, 80)}'`, 'Write NAME=value, one a line.');
    return [line.slice(0, equals).trim(), line.slice(equals + 1)];
  });
  return Object.fromEntries(entries) as Record<string, string>;
}

/** A folder of the image, without trailing slash. */
export function imageFolder(name: string, value: string): string {
  const folder = posix.normalize(value).replace(/\/+$/, '');
  if (folder.startsWith('/') && folder !== '') return folder;
  throw invalid(
    name,
    `is '${value}'`,
    "Write an absolute folder of the image other than '/', for example /app.",
  );
}

function onePlatform(name: string, value: string): Platform {
  const [os = '', architecture = '', variant, ...rest] = value.split('/');
  if (/[,\s]/.test(value) || rest.length > 0 || os !== 'linux' || architecture === '') {
    throw invalid(name, `is '${value}'`, 'Write for example linux/amd64 or linux/arm64.');
  }
  return { os, architecture, ...(variant === undefined ? {} : { variant }) };
}

/** The platforms of Linux that `platforms` names, each once; else the one of `platform`. Throws INPUT_INVALID. */
export function readPlatforms(
  platform: string,
  several: readonly string[],
): readonly [Platform, ...Platform[]] {
  const names = several.flatMap((line) => line.split(',')).map((name) => name.trim().toLowerCase());
  const wanted = [...new Set(names.filter((name) => name !== ''))].map((name) =>
    onePlatform('platforms', name),
  );
  const [first, ...rest] = wanted;
  return first === undefined ? [onePlatform('platform', platform)] : [first, ...rest];
}

/** The image's C library, where it is given. Throws INPUT_INVALID. */
export function readLibc(value: string | undefined): { libc?: Libc } {
  if (value === undefined) return {};
  const libc = parseLibc(value);
  if (libc !== undefined) return { libc };
  throw invalid(
    'libc',
    `is '${value}'`,
    "Write for example 'glibc 2.36' (what 'ldd --version' says) or 'musl 1.2'.",
  );
}

/** A port, where one is given. Throws INPUT_INVALID. */
export function readPort(name: string, value: string | undefined): { port?: number } {
  if (value === undefined) return {};
  const port = Number(value);
  if (Number.isInteger(port) && port >= 1 && port <= 65_535) return { port };
  throw invalid(name, `is '${value}'`, 'Write a number from 1 to 65535.');
}
