import { DeliveryError } from '../errors.ts';
import type { StoredFile } from './store.ts';

/** Files that cannot be read now, by path. */
export type Archived = ReadonlyMap<string, NonNullable<StoredFile['archived']>>;

const shownInError = 5;

/** Throws MODEL_ARCHIVED, before a byte moves, when one of the files that have to be read cannot be. */
export function requireReadable(files: readonly { readonly path: string }[], archived: Archived): void {
  const unreadable = files.filter(({ path }) => archived.has(path)).map(({ path }) => path);
  if (unreadable.length === 0) return;
  const rest = unreadable.filter((path) => archived.get(path) === 'archived');
  const names = unreadable.slice(0, shownInError).map((path) => `'${path}'`);
  const more = unreadable.length > names.length ? ` and ${unreadable.length - names.length} more` : '';
  throw new DeliveryError({
    code: 'MODEL_ARCHIVED',
    side: 'storage',
    message: `${unreadable.length} of ${files.length} file(s) to be read are in the archive tier${rest.length === 0 ? ', on their way back from there' : ''}: ${names.join(', ')}${more}. Nothing was transferred.`,
    remedy:
      rest.length === 0
        ? 'Run again when they are back; rehydrating takes up to 15 hours, the tier of each is shown in the portal.'
        : 'Rehydrate the version (az storage blob set-tier --tier Hot --rehydrate-priority High, a blob at a time; hours), then run again; keep the versions that are in use out of lifecycle rules.',
  });
}
