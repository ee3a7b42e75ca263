import { randomBytes } from 'node:crypto';
import type { KubeObject } from '../objects/objects.ts';
import type { CommandRequest } from './run.ts';

type Settings = Readonly<Record<string, string | number | boolean>>;

/** A mark that no other text in the log has. */
export function newMark(): string {
  return `model-delivery-${randomBytes(8).toString('hex')}`;
}

/** An argument as a POSIX shell reads it back. */
function quoted(value: string): string {
  return `'${value.replaceAll("'", "'\\''")}'`;
}

/** Shell variables. */
export function settingsFile(settings: Settings): string {
  return Object.entries(settings)
    .map(([name, value]) => `${name}=${quoted(String(value))}\n`)
    .join('');
}

/** The files of objects, by their place in the release. */
export function objectFiles(
  folder: string,
  objects: readonly (KubeObject | undefined)[],
): CommandRequest['files'] {
  const files = objects.flatMap((object, index) =>
    object === undefined ? [] : [[`${folder}/${index}.json`, JSON.stringify(object)] as const],
  );
  return Object.fromEntries(files);
}
