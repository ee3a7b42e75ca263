import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { measure } from '../measure.ts';
import { type Builder, writeAuthFile } from './builder.ts';
import type { Site } from './site.ts';

const run = promisify(execFile);
const script = `
set -e
name=$1; context=$2; shift 2
buildah "$@" build --isolation chroot --layers --tls-verify=false --quiet -t "$name" "$context"
buildah "$@" push --tls-verify=false --quiet "$name"
`;

/** buildah with storage of its own. */
export async function buildah(site: Site): Promise<Builder> {
  const folder = await mkdtemp(join(site.room.folder, 'buildah-'));
  const root = join(folder, 'root');
  const storage = ['--storage-driver', 'overlay', '--root', root, '--runroot', join(folder, 'run')];
  const auth = await writeAuthFile(site, folder);
  const clear = async (): Promise<void> => {
    // The driver keeps its folder mounted on itself.
    await run('umount', ['--lazy', join(root, 'overlay')]).catch(() => undefined);
    await rm(root, { recursive: true, force: true });
    await rm(join(folder, 'run'), { recursive: true, force: true });
  };
  site.room.atEnd(clear);
  return {
    name: 'buildah build, push',
    async build({ context }, repository, tag) {
      await mkdir(root, { recursive: true });
      const { sample } = await measure({
        command: 'bash',
        args: ['-c', script, 'buildah', `${site.registry.host}/${repository}:${tag}`, context, ...storage],
        env: { ...process.env, REGISTRY_AUTH_FILE: auth, TMPDIR: folder },
      });
      return sample;
    },
    reset: clear,
  };
}
