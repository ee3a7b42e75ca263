import type { LocalContext } from '../lib/context.ts';
import { ensureGoBinary } from './binary.ts';

/** Path of the registry server of the CNCF Distribution project (https://distribution.github.io/distribution/). */
export function registryBinary(context: LocalContext): Promise<string> {
  return ensureGoBinary(context, {
    name: 'registry',
    package: 'github.com/distribution/distribution/v3/cmd/registry',
    version: 'v3.1.2',
    duration: 'about 2 minutes',
  });
}
