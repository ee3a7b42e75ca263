import { DeliveryError } from '../../src/errors.ts';
import { type DeliveredModel, deliverModel } from '../../src/image/model/deliver.ts';
import { folderModel, lockedModel } from '../../src/image/model/files.ts';
import type { Model } from '../../src/image/model/model.ts';
import { type ModelLock, readLock } from '../../src/model/lock.ts';
import type { ModelStore } from '../../src/model/store.ts';
import { formatBytes } from '../../src/report/format.ts';
import { byteProgress } from '../../src/report/progress.ts';
import type { Run } from './builder.ts';
import type { CredentialFor, ModelInput } from './modelInput.ts';

/** The store that the lock's model came from. Its client is loaded only when bytes must come from there. */
async function openSource({ source }: ModelLock, credentialFor: CredentialFor): Promise<ModelStore> {
  const [, endpoint = '', container = ''] = /^(.+)\/([^/]+)$/.exec(source.url) ?? [];
  if (source.type !== 'azureBlob' || container === '') {
    throw new DeliveryError({
      code: 'MODEL_SOURCE_UNSUPPORTED',
      side: 'input',
      message: `Models of source '${source.type}' (${source.url}) cannot be streamed into the registry yet.`,
      remedy: "Use FetchModel with 'mode: download' before this step.",
    });
  }
  const { openAzureBlobStore } = await import('../../src/model/azureBlob/store.ts');
  return openAzureBlobStore({ endpoint, container, credential: credentialFor(endpoint) });
}

async function findModel(run: Run, wanted: ModelInput): Promise<Model> {
  const { lock: lockFile, folder, credential } = wanted;
  if (lockFile === undefined) return folderModel(folder ?? '', run.signal);
  const lock = await readLock(lockFile);
  const openStore = credential === undefined ? {} : { openStore: () => openSource(lock, credential) };
  return lockedModel(lock, {
    lockFile,
    signal: run.signal,
    ...(folder === undefined ? {} : { folder }),
    ...openStore,
  });
}

/** Sees to it that the model is in the registry; the person who waits is told when its bytes must move. */
export async function deliver(run: Run, wanted: ModelInput): Promise<DeliveredModel> {
  const { client, signal, inputs, host } = run;
  const model = await findModel(run, wanted);
  const what = `Model ${model.name} ${model.version}`;
  const progress = byteProgress({ what, totalBytes: model.size, log: host.log });
  const delivered = await deliverModel(
    {
      ...{ client, signal, repository: inputs.repository, platform: inputs.platform },
      destination: wanted.destination,
      onSend: ({ size }) => host.log.info(`${what}: not in the registry yet, ${formatBytes(size)} are sent`),
      onBytes: (bytes) => progress.add(bytes),
    },
    model,
  );
  if (delivered.reused) host.log.info(`${what}: its layers are in the registry, nothing is read or sent`);
  else progress.done();
  return delivered;
}
