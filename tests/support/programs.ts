import { fileURLToPath } from 'node:url';
import type { LocalContext } from '../../local/lib/context.ts';
import { ensureGoBinary } from '../../local/toolchain/binary.ts';

/** How long each takes on two cores when nothing is compiled yet. */
const durations = {
  web: 'seconds',
  gateway: 'seconds',
  referrers: 'about half a minute',
  validate: 'about a minute',
  cosign: 'about two minutes',
} as const;

/** A Go program of the tests, in the folder of its name. */
export type TestProgram = keyof typeof durations;

export const testPrograms = Object.keys(durations) as readonly TestProgram[];

/** Path of the program, built first where this user has not built it yet. */
export function testProgram(context: LocalContext, name: TestProgram): Promise<string> {
  const folder = fileURLToPath(new URL(name, import.meta.url));
  return ensureGoBinary(context, { name: `test-${name}`, folder, duration: durations[name] });
}
