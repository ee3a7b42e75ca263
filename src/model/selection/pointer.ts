import { DeliveryError } from '../../errors.ts';
import { nearest } from '../../report/nearest.ts';
import { type ModelStore, type StoredFile, textOf } from '../store.ts';

/** A pointer names one version: more than this is something else. */
const largestPointer = 64 * 1024;

async function findFile(
  store: ModelStore,
  name: string,
  signal: AbortSignal,
): Promise<StoredFile | undefined> {
  // Names ascend, so the exact name is the first of those that start with it.
  for await (const file of store.list(name, signal)) return file.name === name ? file : undefined;
  return undefined;
}

/** The version in a pointer's text: `{"version": "…"}`, a JSON string, or one line of plain text. */
export function parsePointer(text: string): string | undefined {
  let value: unknown = text;
  if (/^["{]/.test(text)) {
    try {
      value = JSON.parse(text);
    } catch {
      return undefined;
    }
  }
  if (typeof value === 'object' && value !== null && 'version' in value) value = value.version;
  const version = typeof value === 'string' ? value.trim().replace(/\/$/, '') : '';
  return /^[^/\r\n]{1,1024}$/.test(version) ? version : undefined;
}

/** Reads which version the model's pointer names. Throws POINTER_NOT_FOUND or POINTER_INVALID. */
export async function readPointer(
  store: ModelStore,
  model: string,
  pointerFile: string,
  signal: AbortSignal,
): Promise<string> {
  const name = `${model}/${pointerFile}`;
  const file = await findFile(store, name, signal);
  if (file === undefined) {
    const names = (await store.children(`${model}/`, signal)).filter((child) => !child.endsWith('/'));
    const near =
      names.length === 0
        ? 'No file lies beside its versions.'
        : `Nearest names: ${nearest(pointerFile, names).join(', ')}.`;
    throw new DeliveryError({
      code: 'POINTER_NOT_FOUND',
      side: 'storage',
      message: `Model '${model}' has no pointer '${name}' in ${store.source.url}. ${near}`,
      remedy: "Correct 'model' or 'pointerFile', or publish the pointer: a file that names the version.",
    });
  }
  const text = await textOf(store, file, largestPointer, signal);
  const version = text === undefined ? undefined : parsePointer(text);
  if (version !== undefined) return version;
  throw new DeliveryError({
    code: 'POINTER_INVALID',
    side: 'storage',
    message: `The pointer '${name}' in ${store.source.url} does not name a version.`,
    remedy:
      'Publish it as JSON, {"version": "2.1.0"}, or as one line of text with the version\'s name alone.',
  });
}
