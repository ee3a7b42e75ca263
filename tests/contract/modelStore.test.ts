import { openAzureBlobStore } from '../../src/model/azureBlob/store.ts';
import { newContainer, publish } from '../support/blobs.ts';
import { services } from '../support/services.ts';
import { behavesAsModelStore } from './modelStore.ts';

behavesAsModelStore('azureBlob', async () => {
  const { storage } = await services('storage');
  const container = await newContainer(storage);
  const location = {
    endpoint: storage.blobEndpoint,
    container: container.containerName,
    credential: { kind: 'accountKey', account: storage.account, key: storage.accountKey },
  } as const;
  return {
    // Pages of two names, so that every listing goes over several.
    store: openAzureBlobStore(location, { pageSize: 2 }),
    put: (name, content) => publish(container, { [name]: content }),
    remove: async (name) => void (await container.deleteBlob(name)),
  };
});
