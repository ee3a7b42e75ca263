import { join } from 'node:path';
import { ContainerSASPermissions } from '@azure/storage-blob';
import { startServices } from '../../local/services/index.ts';
import { newContainer } from '../../tests/support/blobs.ts';
import type { Room } from '../room.ts';
import type { ModelCase } from './cases.ts';
import type { ModelServer } from './server.ts';

/** Azurite with the models that lie below `folder`; read by a shared access signature. */
export async function azurite(
  room: Room,
  folder: string,
  models: readonly ModelCase[],
): Promise<ModelServer> {
  const { storage } = await startServices(room.context, ['storage']);
  if (storage === undefined) throw new Error('The local storage did not start.');
  const container = await newContainer(storage);
  for (const { name, files } of models) {
    for (const file of files) {
      const blob = container.getBlockBlobClient(`${name}/1/${file}`);
      await blob.uploadFile(join(folder, name, '1', file));
    }
  }
  const sas = await container.generateSasUrl({
    permissions: ContainerSASPermissions.from({ read: true, list: true }),
    expiresOn: new Date(Date.now() + 24 * 3_600_000),
  });
  const sasToken = new URL(sas).search.slice(1);
  return {
    name: 'Azurite',
    containerUrl: sas,
    address: (model, file) => `${container.url}/${model.name}/1/${file}?${sasToken}`,
    inputs: (model) => ({
      ...{ source: 'azureBlob', authentication: 'sas', sasToken },
      ...{ blobEndpoint: storage.blobEndpoint, container: container.containerName, model: model.name },
    }),
    rclone: {
      environment: { RCLONE_CONFIG_SOURCE_TYPE: 'azureblob', RCLONE_CONFIG_SOURCE_SAS_URL: sas },
      path: (model) => `source:${container.containerName}/${model.name}/1`,
    },
  };
}
