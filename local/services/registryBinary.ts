import { execFile } from 'node:child_process';
import { access } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { LocalContext } from '../lib/context.ts';

/** Path of distribution's registry program, built once into the cache folder. */
export async function registryBinary(context: LocalContext): Promise<string> {
  const folder = join(context.cacheFolder, 'bin');
  const binary = join(folder, 'registry');
  const exists = await access(binary).then(
    () => true,
    () => false,
  );
  if (exists) return binary;
  const env = { ...process.env, GOBIN: folder, CGO_ENABLED: '0' };
  await promisify(execFile)(
    'go',
    ['install', 'github.com/distribution/distribution/v3/cmd/registry@v3.1.2'],
    { env },
  );
  return binary;
}
