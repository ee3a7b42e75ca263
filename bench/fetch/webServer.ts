import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { ModelCase } from './cases.ts';
import type { ModelServer } from './server.ts';

/** A way to a web server that lists its folders. */
export interface WebAddress {
  readonly name: string;
  readonly url: string;
  readonly authority?: string;
}

/** Writes an index of each model in the server's folder, from which FetchModel knows its files. */
export async function writeIndexes(folder: string, models: readonly ModelCase[]): Promise<void> {
  for (const { name, files, bytesEach } of models) {
    const listed = files.map((file) => ({ path: file, url: `1/${file}`, size: bytesEach }));
    const index = { versions: [{ version: '1', files: listed }] };
    await writeFile(join(folder, name, 'index.json'), JSON.stringify(index));
  }
}

/** Models on a web server. */
export function webServer({ name, url, authority }: WebAddress): ModelServer {
  return {
    name,
    address: (model, file) => `${url}/${model.name}/1/${file}`,
    inputs: (model) => ({ source: 'http', url: `${url}/${model.name}/index.json`, model: model.name }),
    rclone: {
      environment: { RCLONE_CONFIG_SOURCE_TYPE: 'http', RCLONE_CONFIG_SOURCE_URL: `${url}/` },
      path: (model) => `source:${model.name}/1`,
    },
    ...(authority !== undefined && { authority, environment: { NODE_EXTRA_CA_CERTS: authority } }),
  };
}
