import { resolve } from 'node:path';

/** What the user asked of `npm run demo`. */
export interface DemoOptions {
  /** Leave the services up, so that the next demo is quick and the application can be looked at. */
  readonly keep: boolean;
  /** Where the machine-readable account goes. */
  readonly jsonFile?: string;
}

export const usage = `npm run demo -- [--keep] [--json FILE]
  --keep       leave the services running; npm run services -- stop ends them
  --json FILE  write steps, model, image, deployment and prediction as JSON`;

/** Throws with the usage for an unknown word. */
export function parseDemoOptions(args: readonly string[]): DemoOptions {
  let keep = false;
  let jsonFile: string | undefined;
  for (let at = 0; at < args.length; at += 1) {
    const word = args[at];
    const next = args[at + 1];
    if (word === '--keep') keep = true;
    else if (word === '--json' && next !== undefined && !next.startsWith('--')) {
      at += 1;
      jsonFile = resolve(next);
    } else if (word === '--json') throw new Error(`--json needs the name of a file.\n${usage}`);
    else throw new Error(`Unknown option '${word}'.\n${usage}`);
  }
  return { keep, ...(jsonFile !== undefined && { jsonFile }) };
}
