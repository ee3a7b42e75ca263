import { mkdir } from 'node:fs/promises';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The checkout this code runs from. */
export const repositoryRoot = dirname(dirname(dirname(fileURLToPath(import.meta.url))));

/** Where one set of local services keeps what it needs; several checkouts on a machine never share it. */
export interface LocalContext {
  /** State of this checkout's services: process records, data, kubeconfig. Removed by a clean stop, logs excepted. */
  readonly stateFolder: string;
  /** One log file a service. */
  readonly logFolder: string;
  /** What is built once and shared by every checkout of this user: Go binaries, base images. */
  readonly cacheFolder: string;
  /** One line for the person who waits. */
  readonly say: (line: string) => void;
}

function userCacheFolder(): string {
  const base =
    process.platform === 'win32'
      ? (process.env['LOCALAPPDATA'] ?? join(homedir(), 'AppData', 'Local'))
      : process.platform === 'darwin'
        ? join(homedir(), 'Library', 'Caches')
        : (process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'));
  return join(base, 'model-delivery');
}

/** Makes the folders and gives the context of this checkout. */
export async function createContext(say: (line: string) => void = console.log): Promise<LocalContext> {
  const stateFolder = join(repositoryRoot, '.local');
  const context = {
    stateFolder,
    logFolder: join(stateFolder, 'logs'),
    cacheFolder: userCacheFolder(),
    say,
  };
  await mkdir(context.logFolder, { recursive: true });
  await mkdir(context.cacheFolder, { recursive: true });
  return context;
}
