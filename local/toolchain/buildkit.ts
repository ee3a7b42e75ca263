import { fileURLToPath } from 'node:url';
import type { LocalContext } from '../lib/context.ts';
import { ensureGoBinary } from './binary.ts';

const durations = { buildkitd: 'about a minute and a half', buildctl: 'seconds' } as const;

/**
 * Path of a program of the BuildKit project (https://github.com/moby/buildkit). Its module is one of its own: in that
 * of the other programs its dependencies would choose other versions for Kubernetes.
 */
export function buildkitBinary(context: LocalContext, name: keyof typeof durations): Promise<string> {
  return ensureGoBinary(context, {
    name,
    folder: fileURLToPath(new URL('buildkit', import.meta.url)),
    tool: `github.com/moby/buildkit/cmd/${name}`,
    duration: durations[name],
  });
}
