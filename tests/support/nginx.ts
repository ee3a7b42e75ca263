import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, rm, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { freePort } from '../../local/lib/ports.ts';
import { ensureSystemPackages } from '../../local/services/packages.ts';
import { testContext } from './services.ts';

/** A web server of a test's own, and the folder that it serves. */
export interface Nginx {
  readonly url: string;
  readonly folder: string;
  /** Writes a file; each has a time of its own, since this server's ETags are made of time and size. */
  put(name: string, content: string | Uint8Array): Promise<void>;
  remove(name: string): Promise<void>;
  /** The address of a file. */
  address(name: string): string;
  close(): Promise<void>;
}

function configuration(folder: string, port: number, more: string): string {
  return `
daemon off; master_process off; worker_processes 1; pid ${folder}/nginx.pid; error_log ${folder}/error.log;
events {}
http {
  access_log off; default_type application/octet-stream; types { application/json json; }
  client_body_temp_path ${folder}/t1; proxy_temp_path ${folder}/t2; fastcgi_temp_path ${folder}/t3;
  uwsgi_temp_path ${folder}/t4; scgi_temp_path ${folder}/t5;
  server { listen 127.0.0.1:${port}; root ${folder}/www; ${more} }
}`;
}

async function waitUntilServing(url: string, server: ChildProcess): Promise<void> {
  for (let attempt = 0; attempt < 100; attempt += 1) {
    if (server.exitCode !== null) throw new Error(`nginx ended with ${server.exitCode}`);
    const served = await fetch(url).then(
      () => true,
      () => false,
    );
    if (served) return;
    await sleep(50);
  }
  throw new Error('nginx does not serve');
}

/** Starts nginx from the distribution's package on a port of its own; `more` are directives of its server. */
export async function startNginx(more = ''): Promise<Nginx> {
  await ensureSystemPackages(await testContext(), [
    { name: 'nginx', purpose: 'the tests of models on web servers' },
  ]);
  const home = await mkdtemp(join(tmpdir(), 'model-delivery-nginx-'));
  const folder = join(home, 'www');
  await mkdir(folder);
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  const config = join(home, 'nginx.conf');
  await writeFile(config, configuration(home, port, more));
  const server = spawn('nginx', ['-c', config, '-p', home], { stdio: 'ignore' });
  await waitUntilServing(url, server);
  let written = 0;
  return {
    url,
    folder,
    async put(name, content) {
      const file = join(folder, name);
      await mkdir(dirname(file), { recursive: true });
      await writeFile(file, content);
      written += 1;
      const time = new Date(Math.floor(Date.now() / 1000) * 1000 - 1_800_000 + written * 1000);
      await utimes(file, time, time);
    },
    remove: (name) => rm(join(folder, name)),
    address: (name) => `${url}/${name.split('/').map(encodeURIComponent).join('/')}`,
    async close() {
      server.kill();
      if (server.exitCode === null) await once(server, 'exit');
      await rm(home, { recursive: true, force: true });
    },
  };
}
