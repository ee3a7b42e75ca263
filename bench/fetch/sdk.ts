import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import type { Room } from '../room.ts';
import type { Fetcher } from './job.ts';

function fetcher(program: string, name: string, more: Readonly<Record<string, string>>): Fetcher {
  return {
    name,
    command: async ({ server, model, target }) => ({
      command: process.execPath,
      args: [program],
      env: {
        ...process.env,
        ...more,
        CONTAINER_URL: server.containerUrl,
        PREFIX: `${model.name}/1/`,
        FILES: model.files.join(),
        TARGET: target,
      },
    }),
  };
}

/** Programs around the Azure SDK, bundled as a task would be. */
export async function sdkFetchers(room: Room): Promise<Fetcher[]> {
  const program = join(room.folder, 'sdk.mjs');
  await build({
    entryPoints: [fileURLToPath(new URL('sdkProgram.ts', import.meta.url))],
    outfile: program,
    bundle: true,
    minify: true,
    platform: 'node',
    target: 'node20',
    format: 'esm',
    // Packages made for CommonJS ask for `require`; an ES module has none.
    banner: {
      js: "import { createRequire } from 'node:module';const require=createRequire(import.meta.url);",
    },
    logLevel: 'error',
  });
  return [
    fetcher(program, 'SDK downloadToFile', {}),
    fetcher(program, 'SDK downloadToFile, then SHA-256', { HASH: '1' }),
  ];
}
