import { readFile, writeFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';

/** Where containers' tools look, in this order. https://github.com/containers/image/blob/main/docs/containers-registries.conf.5.md */
async function usersRegistries(environment: NodeJS.ProcessEnv): Promise<string> {
  const files = [
    environment['CONTAINERS_REGISTRIES_CONF'],
    join(homedir(), '.config', 'containers', 'registries.conf'),
    '/etc/containers/registries.conf',
  ];
  for (const file of files) {
    const text = file === undefined ? undefined : await readFile(file, 'utf8').catch(() => undefined);
    if (text !== undefined) return text;
  }
  return '';
}

/**
 * Writes a registries.conf: the user's own, with Docker Hub for short names where it has no rule for them (as a
 * Dockerfile means them), and the registries that are reached by http.
 */
export async function writeRegistries(
  folder: string,
  environment: NodeJS.ProcessEnv,
  plainHosts: readonly string[],
): Promise<string> {
  const own = await usersRegistries(environment);
  const hasRule = /^\s*unqualified-search-registries\s*=/m.test(own);
  const shortNames = hasRule ? [] : ['unqualified-search-registries = ["docker.io"]'];
  const plain = plainHosts.map((host) => `[[registry]]\nlocation = ${JSON.stringify(host)}\ninsecure = true`);
  const file = join(folder, 'registries.conf');
  await writeFile(file, `${[...shortNames, own, ...plain].join('\n')}\n`);
  return file;
}
