import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createAuthority } from '../../local/identity/authority.ts';
import { freePort } from '../../local/lib/ports.ts';
import { startNginx } from '../../tests/support/nginx.ts';
import type { Room } from '../room.ts';
import { azurite } from './azurite.ts';
import { type ModelCase, writeModel } from './cases.ts';
import type { ModelServer } from './server.ts';
import { slowLink } from './slowLink.ts';
import { versity } from './versity.ts';
import { webServer, writeIndexes } from './webServer.ts';

/** All servers, each with all models. */
export interface Servers {
  readonly near: readonly ModelServer[];
  readonly tls: ModelServer;
  readonly far: ModelServer;
}

const link = { roundTripMs: 20, loss: 0.01 };

async function withTls(
  room: Room,
): Promise<{ readonly directives: string; readonly url: string; authority: string }> {
  const { certificate, issue } = await createAuthority();
  const { cert, key } = await issue('localhost');
  const file = async (name: string, content: string): Promise<string> => {
    const path = join(room.folder, name);
    await writeFile(path, content, { mode: 0o600 });
    return path;
  };
  const authority = await file('authority.pem', certificate);
  const [certificateFile, keyFile] = [await file('server.pem', cert), await file('server.key', key)];
  const port = await freePort();
  return {
    authority,
    url: `https://localhost:${port}`,
    directives: `listen 127.0.0.1:${port} ssl; ssl_certificate ${certificateFile}; ssl_certificate_key ${keyFile};`,
  };
}

/** Starts the servers, gives them the models, and ends them with the room. */
export async function startServers(room: Room, models: readonly ModelCase[]): Promise<Servers> {
  const secure = await withTls(room);
  const nginx = await startNginx(`autoindex on; ${secure.directives}`);
  room.atEnd(nginx.close);
  for (const model of models) await writeModel(nginx.folder, model);
  await writeIndexes(nginx.folder, models);
  const way = await slowLink(nginx.url, link);
  room.atEnd(async () => way.close());
  return {
    near: [
      webServer({ name: 'nginx', url: nginx.url }),
      await azurite(room, nginx.folder, models),
      await versity(room, nginx.folder, models),
    ],
    tls: webServer({ name: 'nginx over TLS', ...secure }),
    far: webServer({ name: 'nginx, 20 ms and 1 % loss away', url: way.url }),
  };
}
