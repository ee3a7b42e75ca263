import { constants } from 'node:fs';
import { access, stat } from 'node:fs/promises';
import { delimiter, join } from 'node:path';

async function isProgram(file: string): Promise<boolean> {
  const found = await stat(file).catch(() => undefined);
  if (found?.isFile() !== true) return false;
  return access(file, constants.X_OK).then(
    () => true,
    () => false,
  );
}

/**
 * Absolute path of the first of these programs that is on PATH; undefined when none is. On Windows the endings of
 * PATHEXT are tried.
 */
export async function findProgram(
  names: readonly string[],
  environment: NodeJS.ProcessEnv,
  platform: NodeJS.Platform,
): Promise<string | undefined> {
  const folders = (environment['PATH'] ?? environment['Path'] ?? '')
    .split(delimiter)
    .filter((one) => one !== '');
  const endings = platform === 'win32' ? (environment['PATHEXT'] ?? '.EXE').split(';') : [''];
  for (const name of names) {
    for (const folder of folders) {
      for (const ending of endings) {
        const file = join(folder, `${name}${ending}`);
        if (await isProgram(file)) return file;
      }
    }
  }
  return undefined;
}
