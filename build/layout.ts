import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { repositoryRoot } from '../local/lib/context.ts';

/** Everything that is packaged, and nothing else, is made below this folder. */
export const distFolder = join(repositoryRoot, 'dist');
export const extensionFolder = join(distFolder, 'extension');
export const tasksFolder = join(repositoryRoot, 'tasks');

/** The tasks in the repository, by folder name. */
export const taskNames: readonly string[] = readdirSync(tasksFolder, { withFileTypes: true })
  .filter((entry) => entry.isDirectory())
  .map((entry) => entry.name)
  .sort();

/** Folder of a packaged task: `tasks/<Name>/<Name>V<major>`, so that a later major can stand beside it. */
export function packagedTaskFolder(name: string): string {
  return join(extensionFolder, 'tasks', name, `${name}V1`);
}
