import { existsSync } from 'node:fs';
import { mkdtemp } from 'node:fs/promises';
import { join } from 'node:path';
import { startServices, stopServices } from '../../local/services/index.ts';
import { servicePid } from '../../tests/support/ownServices.ts';
import { measure } from '../measure.ts';
import { type Builder, writeAuthFile } from './builder.ts';
import { withDaemon } from './daemon.ts';
import type { Site } from './site.ts';

const script = 'set -e; "$1" build --quiet --tag "$2" "$3"; "$1" push --quiet "$2"';
/** The client of the engine's own package knows its BuildKit without a plugin. */
const client = existsSync('/usr/bin/docker') ? '/usr/bin/docker' : 'docker';

/** A Docker engine of its own for each kind of build; a fresh agent is a new, empty engine. */
async function docker(site: Site, name: string, kit: '0' | '1'): Promise<Builder> {
  const folder = await mkdtemp(join(site.room.folder, 'docker-'));
  const context = { ...site.room.context, stateFolder: folder, logFolder: join(folder, 'logs') };
  await writeAuthFile(site, folder);
  let socket: string | undefined;
  const stop = async (): Promise<void> => {
    socket = undefined;
    await stopServices(context);
  };
  site.room.atEnd(stop);
  return {
    name,
    async build(source, repository, tag) {
      const env = { ...process.env, DOCKER_BUILDKIT: kit, DOCKER_CONFIG: folder, DOCKER_HOST: socket };
      const words = [client, `${site.registry.host}/${repository}:${tag}`, source.context];
      return withDaemon(await servicePid(context, 'docker'), async () => {
        const command = { command: 'bash', args: ['-c', script, 'docker', ...words], env };
        return (await measure(command)).sample;
      });
    },
    async reset() {
      await stop();
      socket = (await startServices(context, ['docker'])).docker?.socket;
    },
  };
}

/** The two builders of the Docker engine. */
export async function dockers(site: Site): Promise<Builder[]> {
  return [
    await docker(site, 'docker build (BuildKit), push', '1'),
    await docker(site, 'docker build (classic), push', '0'),
  ];
}
