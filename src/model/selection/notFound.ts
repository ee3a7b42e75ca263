import { DeliveryError } from '../../errors.ts';
import { nearest } from '../../report/nearest.ts';
import type { ModelStore } from '../store.ts';
import type { Version, Wanted } from './types.ts';

function nearNames(wanted: string, names: readonly string[], none: string): string {
  return names.length === 0 ? none : `Nearest names: ${nearest(wanted, names).join(', ')}.`;
}

/** Nothing lies below the model's name: what was looked for, where, and what is there instead. */
export async function modelNotFound(
  store: ModelStore,
  model: string,
  signal: AbortSignal,
): Promise<DeliveryError> {
  const slash = model.lastIndexOf('/');
  const parent = slash < 0 ? '' : model.slice(0, slash + 1);
  const siblings = (await store.children(parent, signal)).map(
    (name) => `${parent}${name.replace(/\/$/, '')}`,
  );
  const where = parent === '' ? store.source.url : `${store.source.url}/${parent}`;
  return new DeliveryError({
    code: 'MODEL_NOT_FOUND',
    side: 'storage',
    message: `Model '${model}' does not exist in ${store.source.url}. ${nearNames(model, siblings, `There is nothing in ${where}.`)}`,
    remedy:
      "Correct 'model': it is the path of the folder that holds the versions (or the files), without the container.",
  });
}

/** The model is there, but not this version. */
export function versionNotFound(
  wanted: Wanted,
  asked: { readonly phrase: string; readonly like: string },
  versions: readonly string[],
): DeliveryError {
  return new DeliveryError({
    code: 'VERSION_NOT_FOUND',
    side: 'storage',
    message: `Model '${wanted.model}' has no version ${asked.phrase}. ${nearNames(asked.like, versions, 'It has no versions.')}`,
    remedy: "Correct 'version', or choose another 'versionPolicy'.",
  });
}

/** The version is there, but the patterns leave nothing of it. */
export function filesNotFound(wanted: Wanted, version: Version): DeliveryError {
  const near = nearNames(wanted.files.join(' '), version.leftOut, 'It has no files.');
  return new DeliveryError({
    code: 'FILES_NOT_FOUND',
    side: 'storage',
    message: `No file of model '${wanted.model}', version '${version.version}', matches '${wanted.files.join("', '")}'. ${near}`,
    remedy: "Correct the patterns in 'files'; '**' takes all files.",
  });
}

/** What was looked for is there, but does not count as published whole. */
export function versionIncomplete(wanted: Wanted, reasons: readonly string[]): DeliveryError {
  return new DeliveryError({
    code: 'VERSION_INCOMPLETE',
    side: 'storage',
    message: `Model '${wanted.model}' has no version that ${wanted.ready.tags === undefined ? 'is published whole' : 'counts'}. ${reasons.join(' ')}`,
    remedy:
      "Run again when the publisher has finished; 'readyFile', 'quietPeriod' and 'blobTags' say when a version counts.",
  });
}
