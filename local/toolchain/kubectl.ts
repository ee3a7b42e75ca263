import { fileURLToPath } from 'node:url';
import type { LocalContext } from '../lib/context.ts';
import { ensureGoBinary } from './binary.ts';

/** Path of kubectl of the cluster's own version, built first where this user has not built it yet. */
export function kubectlBinary(context: LocalContext): Promise<string> {
  return ensureGoBinary(context, {
    name: 'kubectl',
    folder: fileURLToPath(new URL('kubectl', import.meta.url)),
    duration: 'about a minute',
  });
}
