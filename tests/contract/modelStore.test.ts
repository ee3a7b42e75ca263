import { openAzureBlobStore } from '../../src/model/azureBlob/store.ts';
import { openHttpStore } from '../../src/model/http/store.ts';
import { newContainer, publish } from '../support/blobs.ts';
import { startNginx } from '../support/nginx.ts';
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

/** A web server lists nothing: its publisher writes an index of all names anew after each change. */
function indexOf(names: Iterable<string>, address: (name: string) => string): string {
  const files = [...names].map((name) => {
    const slash = name.indexOf('/');
    return { model: name.slice(0, slash), path: name.slice(slash + 1), url: address(name) };
  });
  const models = [...new Set(files.map((file) => file.model))].map((model) => ({
    model,
    files: files.filter((file) => file.model === model).map(({ path, url }) => ({ path, url })),
  }));
  return JSON.stringify({ models });
}

behavesAsModelStore('http', async () => {
  const nginx = await startNginx();
  const names = new Set<string>();
  const publishIndex = () => nginx.put('index.json', indexOf(names, nginx.address));
  await publishIndex();
  return {
    store: openHttpStore({ url: nginx.address('index.json'), model: 'unused' }),
    async put(name, content) {
      await nginx.put(name, content);
      names.add(name);
      await publishIndex();
    },
    remove: (name) => nginx.remove(name),
    close: nginx.close,
  };
});
