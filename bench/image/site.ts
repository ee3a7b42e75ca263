import { copyFile, link, mkdir, readdir, writeFile } from 'node:fs/promises';
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

const program = (version: string): string => `VERSION = '${version}'\n`;

/** Lays out what is built: a small application of the given version beside a model of {@link newModel}. */
export async function newSource(site: Site, model: string, version: string): Promise<Source> {
  const context = join(site.room.folder, 'sources', version);
  await mkdir(join(context, 'app'), { recursive: true });
  await mkdir(join(context, 'model'));
  await writeFile(join(context, 'app', 'app.py'), program(version));
  await writeFile(join(context, 'app', 'scoring.py'), '# unchanged\n'.repeat(1000));
  const steps = [
    `FROM ${site.base}`,
    'COPY model /app/model',
    'COPY app /app',
    'CMD ["python3", "/app/app.py"]',
  ];
  await writeFile(join(context, 'Dockerfile'), `${steps.join('\n')}\n`);
  for (const file of await readdir(model)) {
    const target = join(context, 'model', file);
    // Without a second gigabyte where the file system can.
    if (!file.startsWith('.'))
      await link(join(model, file), target).catch(() => copyFile(join(model, file), target));
  }
  return {
    context,
    lock: join(model, 'model.lock.json'),
    modelFile: join(model, 'weights.bin'),
  };
}
