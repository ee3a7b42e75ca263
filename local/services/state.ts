import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { LocalContext } from '../lib/context.ts';
import { freePort } from '../lib/ports.ts';
import type { LocalServices } from './parts.ts';

/** The folder of one service: its settings, its configuration, its data. */
export function serviceFolder(context: LocalContext, service: string): string {
  return join(context.stateFolder, service);
}

/** Writes a file that only its owner may read, complete or not at all. */
export async function writePrivate(file: string, content: string): Promise<void> {
  const temporary = `${file}.${process.pid}.tmp`;
  await writeFile(temporary, content, { mode: 0o600 });
  await rename(temporary, file);
}

async function readJson<T>(file: string): Promise<T | undefined> {
  try {
    return JSON.parse(await readFile(file, 'utf8')) as T;
  } catch {
    return undefined;
  }
}

/** What a service must find again when it is started anew (port, keys), or undefined at its first start. */
export function readState<T>(context: LocalContext, service: string): Promise<T | undefined> {
  return readJson(join(serviceFolder(context, service), 'state.json'));
}

/** Keeps {@link readState}'s value; the file holds secrets, so nobody else can read it. */
export async function writeState(context: LocalContext, service: string, state: object): Promise<void> {
  const folder = serviceFolder(context, service);
  await mkdir(folder, { recursive: true, mode: 0o700 });
  await writePrivate(join(folder, 'state.json'), JSON.stringify(state));
}

function endpointsFile(context: LocalContext): string {
  return join(context.stateFolder, 'services.json');
}

/** The endpoints of the services that were started last; none after a stop. */
export async function readEndpoints(context: LocalContext): Promise<LocalServices> {
  return (await readJson<LocalServices>(endpointsFile(context))) ?? {};
}

/** Keeps {@link readEndpoints}'s value. */
export async function writeEndpoints(context: LocalContext, endpoints: LocalServices): Promise<void> {
  await writePrivate(endpointsFile(context), JSON.stringify(endpoints, null, 2));
}

/** Forgets them. */
export async function removeEndpoints(context: LocalContext): Promise<void> {
  await rm(endpointsFile(context), { force: true });
}

/** True when a server of ours could listen there now: the address is this machine's and the port is free. */
export function canListen(address: string, port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen(port, address, () => server.close(() => resolve(true)));
  });
}

/**
 * The port of the last start where it is still free, so that addresses others hold stay right; else a new one. It
 * waits for it up to two seconds: a process that was killed gives its port back a moment later.
 */
export async function steadyPort(address: string, last: number | undefined): Promise<number> {
  for (let attempt = 0; last !== undefined && attempt < 20; attempt++) {
    if (await canListen(address, last)) return last;
    await sleep(100);
  }
  return freePort(address);
}
