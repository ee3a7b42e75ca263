import type { LocalContext } from '../lib/context.ts';
import { programBinary } from './programs.ts';

/** Path of the registry server of the CNCF Distribution project (https://distribution.github.io/distribution/). */
export function registryBinary(context: LocalContext): Promise<string> {
  return programBinary(context, 'registry');
}
