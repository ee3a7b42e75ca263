import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createContext, type LocalContext } from '../../local/lib/context.ts';
import { stopServices } from '../../local/services/index.ts';
import { withFolder } from './folder.ts';

/** Services of one test alone, which it may kill; they are stopped when it ends. */
export async function withOwnServices<T>(use: (context: LocalContext) => Promise<T>): Promise<T> {
  return withFolder(async (stateFolder) => {
    const context = await ownContext(stateFolder);
    try {
      return await use(context);
    } finally {
      await stopServices(context);
    }
  });
}

/** Where services of one suite alone keep their state; whoever takes it stops them. */
export async function ownContext(stateFolder: string): Promise<LocalContext> {
  const shared = await createContext(() => undefined);
  return { ...shared, stateFolder, logFolder: join(stateFolder, 'logs') };
}

/** Process id of a service that runs. */
export async function servicePid(context: LocalContext, name: string): Promise<number> {
  const record = await readFile(join(context.stateFolder, 'daemons', `${name}.json`), 'utf8');
  return (JSON.parse(record) as { readonly pid: number }).pid;
}

/** Ends a service the hard way, as a crash or the kernel would. */
export async function killService(context: LocalContext, name: string): Promise<void> {
  process.kill(await servicePid(context, name), 'SIGKILL');
}
