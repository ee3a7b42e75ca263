import { measure } from '../measure.ts';
import type { Sample } from '../report.ts';
import type { Room } from '../room.ts';
import { checkTask, registryConnection, taskCommand } from '../task.ts';
import type { Target } from './target.ts';

/** The packaged task with the same manifests. */
export async function deployToAks(room: Room, bundle: string, target: Target): Promise<Sample> {
  const connection = registryConnection(target.registry);
  const { sample, output } = await measure(
    taskCommand({
      bundle,
      room,
      connections: [connection],
      inputs: {
        ...{ connectionType: 'kubeconfig', kubeconfig: target.kubeconfig, namespace: target.namespace },
        ...{ manifests: `${target.folder}/*.yaml`, image: target.image },
        containerRegistry: connection.id,
      },
    }),
  );
  checkTask(output);
  return sample;
}
