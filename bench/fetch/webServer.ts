import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Nginx } from '../../tests/support/nginx.ts';
import type { ModelCase } from './cases.ts';
import type { ModelServer } from './server.ts';

/** nginx with the models that lie in its folder, and an index of each, from which FetchModel knows its files. */
export async function webServer(nginx: Nginx, models: readonly ModelCase[]): Promise<ModelServer> {
  for (const { name, files, bytesEach } of models) {
    const listed = files.map((file) => ({ path: file, url: `1/${file}`, size: bytesEach }));
    const index = { versions: [{ version: '1', files: listed }] };
    await writeFile(join(nginx.folder, name, 'index.json'), JSON.stringify(index));
  }
  const { url } = nginx;
  return {
    name: 'nginx',
    address: (model, file) => `${url}/${model.name}/1/${file}`,
    inputs: ({ name }) => ({ source: 'http', url: `${url}/${name}/index.json`, model: name }),
    rclone: {
      environment: { RCLONE_CONFIG_SOURCE_TYPE: 'http', RCLONE_CONFIG_SOURCE_URL: `${url}/` },
      path: (model) => `source:${model.name}/1`,
    },
  };
}
