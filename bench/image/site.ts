import { link, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { ensureBaseImage } from '../../local/baseimage/index.ts';
import type { RegistryEndpoint, StorageEndpoint } from '../../local/lib/endpoints.ts';
import { startServices } from '../../local/services/index.ts';
import { publisher } from '../../tests/support/blobs.ts';
import { keyInputs } from '../../tests/support/fetch.ts';
import { writeRandom } from '../files.ts';
import { measure } from '../measure.ts';
import type { Room } from '../room.ts';
import { bundled, checkTask, taskCommand } from '../task.ts';
import { startWire, type Wire } from './wire.ts';

const container = 'models';

/** What all contestants build from and push to. */
export interface Site {
  readonly room: Room;
  /** Reached through the counting proxy. */
  readonly registry: RegistryEndpoint;
  readonly wire: Wire;
  /** Reference of the base image. */
  readonly base: string;
  readonly storage: StorageEndpoint;
  readonly modelBytes: number;
}

/** Application and model of one build. */
export interface Source {
  /** Folder of a {@link newModel}. */
  readonly model: string;
  /** Of the application. */
  readonly version: string;
}

/** A source as it lies on the agent. */
export interface Checkout {
  /** Has `Dockerfile`, `app` and `model`. */
  readonly context: string;
  /** FetchModel's lock of the model. */
  readonly lock: string;
  readonly modelFile: string;
}

/** Starts registry, proxy and storage, and puts the base image into the registry. */
export async function openSite(room: Room, modelBytes: number): Promise<Site> {
  const { registry, storage } = await startServices(room.context, ['registry', 'storage']);
  if (registry === undefined || storage === undefined) throw new Error('The local services did not start.');
  const { hostname, port } = new URL(registry.url);
  const wire = await startWire(hostname, Number(port));
  room.atEnd(wire.close);
  const host = `127.0.0.1:${wire.port}`;
  const counted = { ...registry, host, url: `http://${host}` };
  const { reference } = await ensureBaseImage(room.context, counted);
  await publisher(storage).getContainerClient(container).create();
  return { room, registry: counted, wire, base: reference, storage, modelBytes };
}

/** Publishes a new random model and fetches it by the task, as the step before the build does. */
export async function newModel({ room, storage, modelBytes }: Site, version: string): Promise<string> {
  const published = join(room.folder, 'published', version);
  await writeRandom(published, modelBytes);
  const blobs = publisher(storage).getContainerClient(container);
  await blobs.getBlockBlobClient(`scorer/${version}/weights.bin`).uploadFile(published);
  const folder = join(room.folder, 'models', version);
  const choice = { model: 'scorer', versionPolicy: 'exact', version };
  const inputs = { ...keyInputs(storage, container, folder), ...choice };
  const bundle = await bundled(room, 'FetchModel');
  const { output } = await measure(taskCommand({ room, bundle, inputs }));
  checkTask(output);
  return folder;
}

/** Writes a file unless it is so already: a checkout leaves alone what did not change. */
async function put(file: string, content: string): Promise<void> {
  const present = await readFile(file, 'utf8').catch(() => undefined);
  if (present !== content) await writeFile(file, content);
}

/** Puts a source where the agent always has it: builders recognise folders by their path. */
export async function checkOut({ room, base }: Site, { model, version }: Source): Promise<Checkout> {
  const context = join(room.folder, 'work');
  await mkdir(join(context, 'app'), { recursive: true });
  await put(join(context, 'app', 'app.py'), `VERSION = '${version}'\n`);
  await put(join(context, 'app', 'scoring.py'), '# unchanged\n'.repeat(1000));
  const steps = [`FROM ${base}`, 'COPY model /app/model', 'COPY app /app', 'CMD ["python3", "/app/app.py"]'];
  await put(join(context, 'Dockerfile'), `${steps.join('\n')}\n`);
  const folder = join(context, 'model');
  await rm(folder, { recursive: true, force: true });
  await mkdir(folder);
  for (const file of ['weights.bin', 'model.lock.json']) {
    // The same file under a second name, not a second gigabyte.
    await link(join(model, file), join(folder, file));
  }
  return { context, lock: join(folder, 'model.lock.json'), modelFile: join(folder, 'weights.bin') };
}
