import { openAzureBlobStore } from '../../src/model/azureBlob/store.ts';
import { basicAuthorization } from '../../src/model/http/location.ts';
import { openHttpStore } from '../../src/model/http/store.ts';
import { openHuggingFaceStore } from '../../src/model/huggingFace/store.ts';
import { openMlflowStore } from '../../src/model/mlflow/store.ts';
import { openOciStore } from '../../src/model/oci/store.ts';
import { openS3Store } from '../../src/model/s3/store.ts';
import type { Descriptor } from '../../src/oci/types.ts';
import { type ModelShape, modelRepository } from '../support/artifacts.ts';
import { newContainer, publish } from '../support/blobs.ts';
import { newBucket } from '../support/buckets.ts';
import { startHub } from '../support/hub/hub.ts';
import { newMlflowModel } from '../support/mlflow.ts';
import { startNginx } from '../support/nginx.ts';
import { services } from '../support/services.ts';
import { versionedContainer } from '../support/versionedBlobs.ts';
import { behavesAsModelStore, type StoreUnderTest } from './modelStore.ts';

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

behavesAsModelStore('azureBlob, an account that keeps versions', async () => {
  const { storage } = await services('storage');
  const { location, put, remove, close } = await versionedContainer(storage);
  return {
    store: openAzureBlobStore(location, { pageSize: 2 }),
    keeps: ['overwritten', 'removed'],
    put: async (name, content) => void (await put(name, content)),
    remove: async (name) => remove(name),
    close,
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

/** `m/<tag>/<path>`: each file that is put pushes its tag anew with all its files. */
async function openRegistry(shape: ModelShape): Promise<StoreUnderTest> {
  const { registry } = await services('registry');
  const models = modelRepository(registry, shape);
  const tags = new Map<string, Map<string, Uint8Array>>();
  const pushed = new Map<string, readonly Descriptor[]>();
  const split = (name: string) => {
    const [, tag = '', ...path] = name.split('/');
    return { tag, path: path.join('/') };
  };
  const { signal } = new AbortController();
  const location = {
    registryUrl: registry.url,
    credentials: registry,
    repository: models.repository,
    model: 'm',
  };
  return {
    store: openOciStore(location, { signal, userAgent: 'model-delivery-tests' }),
    keeps: ['overwritten'],
    async put(name, content) {
      const { tag, path } = split(name);
      const files = tags.get(tag) ?? new Map<string, Uint8Array>();
      tags.set(tag, files.set(path, content));
      pushed.set(tag, await models.put(tag, files));
    },
    async remove(name) {
      for (const { digest } of pushed.get(split(name).tag) ?? []) await models.deleteBlob(digest);
    },
  };
}

behavesAsModelStore('oci, an artifact', () => openRegistry('artifact'), { versionsOnly: true });
behavesAsModelStore('oci, a model image', () => openRegistry('image'), { versionsOnly: true });

/** Pages of two names, so that every listing goes over several. */
async function openBucket(versioned: boolean): Promise<StoreUnderTest> {
  const { s3 } = await services('s3');
  const { location, put, remove } = await newBucket(s3, { versioned });
  const keeps = versioned ? (['overwritten', 'removed'] as const) : [];
  return { store: openS3Store(location, { pageSize: 2 }), put, remove, keeps };
}

behavesAsModelStore('s3', () => openBucket(false));
behavesAsModelStore('s3, a versioned bucket', () => openBucket(true));

/** A release is a version, named by its tag; the server takes no `#` in a file's name. */
async function openMlflow(): Promise<StoreUnderTest> {
  const { mlflow } = await services('mlflow');
  const model = await newMlflowModel(mlflow, 'm');
  const split = (name: string): readonly [string, string] => {
    const [, release = '', ...path] = name.split('/');
    return [release, path.join('/')];
  };
  return {
    store: openMlflowStore({
      ...{ url: mlflow.url, authorization: basicAuthorization(mlflow) },
      versionTag: 'release',
    }),
    put: (name, content) => model.put(...split(name), content),
    remove: (name) => model.remove(...split(name)),
  };
}

behavesAsModelStore('mlflow', openMlflow, { versionsOnly: true, oddName: 'ü +%&.txt' });

/** Each file that is put or removed is a commit, to which its tag moves. */
async function openHub(): Promise<StoreUnderTest> {
  const hub = await startHub();
  const repository = hub.model('m', 'private');
  const split = (name: string): readonly [string, string] => {
    const [, tag = '', ...path] = name.split('/');
    return [tag, path.join('/')];
  };
  return {
    store: openHuggingFaceStore({ url: hub.url, authorization: `Bearer ${hub.token}`, model: 'm' }),
    put: (name, content) => repository.put(...split(name), content),
    remove: (name) => repository.remove(...split(name)),
    keeps: ['overwritten', 'removed'],
    close: hub.close,
  };
}

behavesAsModelStore('huggingFace', openHub, { versionsOnly: true });
