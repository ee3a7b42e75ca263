import { dirname, join } from 'node:path';
import { measure } from '../measure.ts';
import { bundled, checkTask, registryConnection, taskCommand } from '../task.ts';
import type { Builder } from './builder.ts';
import type { Site } from './site.ts';

/** The packaged task, without a daemon: it keeps nothing on the agent that a reset could take away. */
export async function buildModelImage({ room, registry, base }: Site): Promise<Builder> {
  const bundle = await bundled(room, 'BuildModelImage');
  const connection = registryConnection(registry);
  return {
    name: 'BuildModelImage',
    async build({ context, lock }, repository, tag) {
      const { sample, output } = await measure(
        taskCommand({
          bundle,
          room,
          connections: [connection],
          inputs: {
            ...{ containerRegistry: connection.id, repository, tags: tag, baseImage: base },
            ...{ appFolder: join(context, 'app'), command: 'python3 /app/app.py' },
            ...{ modelLock: lock, modelFolder: dirname(lock) },
          },
        }),
      );
      checkTask(output);
      return sample;
    },
    reset: async () => undefined,
  };
}
