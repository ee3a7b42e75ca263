import { join } from 'node:path';
import { packageExtension } from '../../build/package.ts';
import { ensureBaseImage } from '../baseimage/index.ts';
import type { LocalContext } from '../lib/context.ts';
import { startServices } from '../services/index.ts';
import { ensureSystemPackages, systemPackages } from '../services/packages.ts';
import { writeConnections } from './connections.ts';
import type { RoundSetting } from './round.ts';

/** Packages the extension and starts what the pipelines need; quick where it is up already. */
export async function setTheStage(context: LocalContext, signal: AbortSignal): Promise<RoundSetting> {
  await ensureSystemPackages(context, systemPackages);
  signal.throwIfAborted();
  const vsix = await packageExtension(() => undefined);
  context.say('The extension is packaged; npm run package tells what it weighs.');
  const { storage, registry, cluster } = await startServices(context, ['storage', 'registry', 'cluster']);
  if (storage === undefined || registry === undefined || cluster === undefined) {
    throw new Error('A local service did not start; npm run services -- status tells which.');
  }
  signal.throwIfAborted();
  await ensureBaseImage(context, registry);
  const connectionsFile = await writeConnections(context, { registry, cluster });
  return {
    storage,
    registry,
    cluster,
    connectionsFile,
    vsix,
    signal,
    workFolder: join(context.stateFolder, 'agent'),
  };
}
