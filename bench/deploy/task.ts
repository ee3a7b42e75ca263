import { measure } from '../measure.ts';
import type { Sample } from '../report.ts';
import type { Room } from '../room.ts';
import { checkTask, taskCommand } from '../task.ts';
import type { Target } from './target.ts';

/** The packaged task with the same manifests. */
export async function deployToAks(room: Room, bundle: string, target: Target): Promise<Sample> {
  const { url, username, password } = target.registry;
  const connection = {
    ...{ name: 'registry', id: '6b6f2c1e-54a5-4b55-9c0f-2b0b4f0a7d11', type: 'dockerregistry', url },
    ...{ scheme: 'UsernamePassword', parameters: { registry: url, username, password } },
    data: { registrytype: 'Others' },
  };
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
