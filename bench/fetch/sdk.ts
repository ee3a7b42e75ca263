import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import type { Room } from '../room.ts';
import type { Fetcher } from './job.ts';
import type { ModelServer } from './server.ts';

/** A program of this folder, bundled as a task would be. */
async function bundledProgram(room: Room, name: string): Promise<string> {
  const program = join(room.folder, `${name}.mjs`);
  await build({
    entryPoints: [fileURLToPath(new URL(`${name}.ts`, import.meta.url))],
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
  return program;
}

type Variables = Readonly<Record<string, string>>;

function fetcher(
  program: string,
  name: string,
  suits: (server: ModelServer) => boolean,
  more: Variables,
): Fetcher {
  return {
    name,
    suits,
    command: async ({ server, model, target }) => ({
      command: process.execPath,
      args: [program],
      env: {
        ...process.env,
        ...server.environment,
        ...more,
        CONTAINER_URL: server.containerUrl,
        BUCKET: server.bucket,
        PREFIX: `${model.name}/1/`,
        FILES: model.files.join(),
        TARGET: target,
      },
    }),
  };
}

/** Programs around the Azure SDK and the AWS SDK. */
export async function sdkFetchers(room: Room): Promise<Fetcher[]> {
  const azure = await bundledProgram(room, 'sdkProgram');
  const aws = await bundledProgram(room, 's3Program');
  const isAzure = ({ containerUrl }: ModelServer): boolean => containerUrl !== undefined;
  return [
    fetcher(azure, 'Azure SDK downloadToFile', isAzure, {}),
    fetcher(azure, 'Azure SDK downloadToFile, then SHA-256', isAzure, { HASH: '1' }),
    fetcher(aws, 'AWS SDK GetObject', ({ bucket }) => bucket !== undefined, {}),
  ];
}
