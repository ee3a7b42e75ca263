import { hostname } from 'node:os';
import { lives } from '../../files/exclusive.ts';
import type { TrialContainer, TrialEngine } from './engine.ts';

const names = {
  machine: 'dev.model-delivery.machine',
  pid: 'dev.model-delivery.pid',
  /** Seconds since 1970. */
  until: 'dev.model-delivery.until',
  keepImage: 'dev.model-delivery.keep-image',
} as const;

/** Says in a container's labels which process uses it, how long at most, and whether its image was there before. */
export function ownerLabels(lifeSeconds: number, keepImage: boolean): Readonly<Record<string, string>> {
  return {
    [names.machine]: hostname(),
    [names.pid]: String(process.pid),
    [names.until]: String(Math.ceil(Date.now() / 1000) + lifeSeconds),
    [names.keepImage]: String(keepImage),
  };
}

/** True when its run was killed: the process is gone from this machine, or its time is over. */
function isAbandoned({ labels }: TrialContainer): boolean {
  if (Number(labels[names.until]) < Date.now() / 1000) return true;
  return labels[names.machine] === hostname() && !lives(Number(labels[names.pid]));
}

/** Removes what runs that were killed have left in the engine; what cannot be removed is left to the next run. */
export async function sweep(
  engine: Pick<TrialEngine, 'list' | 'removeContainer' | 'removeImage'>,
): Promise<void> {
  const found = await engine.list().catch(() => []);
  for (const container of found.filter(isAbandoned)) {
    await engine.removeContainer(container.id).catch(() => undefined);
    if (container.labels[names.keepImage] === 'false')
      await engine.removeImage(container.image).catch(() => undefined);
  }
}
