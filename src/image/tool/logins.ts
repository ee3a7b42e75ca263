import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { makeFolder } from '../../files/folder.ts';
import type { Credentials } from '../../oci/auth.ts';

/** User names and passwords by registry host. */
export type Logins = Readonly<Record<string, Credentials>>;

const hubHosts: ReadonlySet<string> = new Set(['docker.io', 'index.docker.io', 'registry-1.docker.io']);
/** How Docker's tools name Docker Hub where they keep credentials. */
const hubKey = 'https://index.docker.io/v1/';

/** The logins under the names that engines look them up by: Docker Hub has one of its own. */
export function engineLogins(logins: Logins): Logins {
  return Object.fromEntries(
    Object.entries(logins).flatMap(([host, login]) =>
      hubHosts.has(host)
        ? [
            [hubKey, login],
            ['docker.io', login],
          ]
        : [[host, login]],
    ),
  );
}

/**
 * Writes the logins as `config.json` of Docker's tools, which podman and buildah read too, into a folder that only
 * this user may enter; gives the file. https://docs.docker.com/reference/cli/docker/login/#configuration-file
 */
export async function writeLogins(folder: string, logins: Logins): Promise<string> {
  await makeFolder(folder);
  const auths = Object.fromEntries(
    Object.entries(engineLogins(logins)).map(([host, { username, password }]) => [
      host,
      { auth: Buffer.from(`${username}:${password}`, 'utf8').toString('base64') },
    ]),
  );
  const file = join(folder, 'config.json');
  await writeFile(file, JSON.stringify({ auths }), { mode: 0o600 });
  return file;
}
