import { join } from 'node:path';
import { createContext, type LocalContext } from '../../local/lib/context.ts';
import {
  type LocalServices,
  type ServicePart,
  startServices,
  stopServices,
} from '../../local/services/index.ts';

/** The tests' own services: another state folder than the demo's, so that neither disturbs the other. */
export async function testContext(): Promise<LocalContext> {
  const context = await createContext(() => undefined);
  const stateFolder = join(context.stateFolder, 'test');
  return { ...context, stateFolder, logFolder: join(stateFolder, 'logs') };
}

/**
 * The named services, started by the first test that asks; a service that cannot start fails that test. Test files run
 * side by side: the registry stays where the first of them found it when another one asks for the cluster.
 */
export async function services<P extends ServicePart>(
  ...parts: readonly P[]
): Promise<LocalServices & Required<Pick<LocalServices, P>>> {
  const started = await startServices(await testContext(), parts, { registryForCluster: true });
  return started as LocalServices & Required<Pick<LocalServices, P>>;
}

/** Whatever the tests started is stopped when the run ends. */
export async function stopTestServices(): Promise<void> {
  await stopServices(await testContext());
}
