import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { distFolder } from '../../build/layout.ts';
import { packageExtension } from '../../build/package.ts';
import { repositoryRoot } from '../../local/lib/context.ts';

/** The packaged extension; `npm test` has just made it, a single test run alone makes it once. */
export async function builtExtension(): Promise<string> {
  const { version } = JSON.parse(readFileSync(join(repositoryRoot, 'package.json'), 'utf8')) as {
    version: string;
  };
  const file = join(distFolder, `model-delivery-${version}.vsix`);
  return existsSync(file) ? file : packageExtension(() => undefined);
}
