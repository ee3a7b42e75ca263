import { fileURLToPath } from 'node:url';
import type { LocalContext } from '../lib/context.ts';
import { ensureGoBinary } from './binary.ts';

const kubernetesVersion = 'v1.36.3';

/** How long each takes on two cores when nothing is compiled yet; later ones find packages of earlier ones. */
const durations = {
  registry: 'about a minute',
  pause: 'seconds',
  containerd: 'about 2 minutes',
  'containerd-shim-runc-v2': 'seconds',
  ctr: 'seconds',
  kubernetes: 'about 5 minutes',
} as const;

/** A program of local/toolchain/programs: one Go module, so that all share their dependencies' compiled packages. */
export type ProgramName = keyof typeof durations;

/** Path of the program, built first where this user has not built it yet. */
export function programBinary(context: LocalContext, name: ProgramName): Promise<string> {
  return ensureGoBinary(context, {
    name,
    program: name,
    folder: fileURLToPath(new URL('programs', import.meta.url)),
    variables: { 'k8s.io/component-base/version.gitVersion': kubernetesVersion },
    duration: durations[name],
  });
}
