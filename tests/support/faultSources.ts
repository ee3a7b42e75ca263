import type { ServiceConnection } from '../../src/host/host.ts';
import { newContainer, publish } from './blobs.ts';
import { newBucket, s3Connection } from './buckets.ts';
import { type Inputs, keyInputs } from './fetch.ts';
import { type MlflowModel, mlflowConnection, newMlflowModel } from './mlflow.ts';
import { startNginx } from './nginx.ts';
import { services } from './services.ts';

/** A source of models behind which a fault proxy can stand. */
export interface FaultySource {
  /** Where the real server is. */
  readonly upstream: string;
  /** The task's inputs that reach it there, or at a proxy's address. */
  inputs(model: string, targetFolder: string, address: string): Inputs;
  /** The service connections that those inputs name. */
  connections(inputs: Inputs): readonly ServiceConnection[];
  /** Where a redirect of a model's file leads, and whether its bytes come from there. */
  redirect?(model: string, file: string): { readonly location: string; readonly arrives: boolean };
  /** Publishes a file as the model's version 1, over an older one. */
  put(model: string, file: string, content: Uint8Array): Promise<void>;
  remove(model: string, file: string): Promise<void>;
  /** The headers and body by which this service says that a file is archived, if it knows archives. */
  readonly archived?: {
    readonly status: number;
    readonly headers?: Record<string, string>;
    readonly body?: string;
  };
  close(): Promise<void>;
}

const done = async (): Promise<void> => undefined;

/** Azurite, by the account's key. */
export async function azureSource(): Promise<FaultySource> {
  const { storage } = await services('storage');
  const container = await newContainer(storage);
  return {
    upstream: storage.blobEndpoint,
    inputs: (model, targetFolder, blobEndpoint) => ({
      ...keyInputs(storage, container.containerName, targetFolder),
      ...{ model, blobEndpoint },
    }),
    connections: () => [],
    put: (model, file, content) => publish(container, { [`${model}/1/${file}`]: content }),
    remove: async (model, file) => void (await container.deleteBlob(`${model}/1/${file}`)),
    archived: {
      status: 409,
      headers: { 'x-ms-error-code': 'BlobArchived', 'content-type': 'application/xml' },
      body: '<?xml version="1.0" encoding="utf-8"?><Error><Code>BlobArchived</Code><Message>archived</Message></Error>',
    },
    close: done,
  };
}

/** The Versity Gateway, by a service connection. */
export async function s3Source(): Promise<FaultySource> {
  const { s3 } = await services('s3');
  const { location, put, remove } = await newBucket(s3);
  const refusal = '<Error><Code>InvalidObjectState</Code><Message>archived</Message></Error>';
  return {
    upstream: s3.url,
    inputs: (model, targetFolder, s3Endpoint) => ({
      ...{ source: 's3', s3Connection: 's3', bucket: location.bucket },
      ...{ model, targetFolder, s3Endpoint },
    }),
    connections: ({ s3Endpoint: url = s3.url }) => [s3Connection({ ...s3, url })],
    put: (model, file, content) => put(`${model}/1/${file}`, content),
    remove: (model, file) => remove(`${model}/1/${file}`),
    archived: { status: 403, headers: { 'content-type': 'application/xml' }, body: refusal },
    close: done,
  };
}

/** nginx, with an index a model. */
export async function webSource(): Promise<FaultySource> {
  const nginx = await startNginx();
  return {
    upstream: nginx.url,
    inputs: (model, targetFolder, address) => ({
      ...{ source: 'http', url: `${address}/${model}/index.json` },
      ...{ model, targetFolder },
    }),
    connections: () => [],
    async put(model, file, content) {
      const index = { versions: [{ version: '1', files: [{ path: file, url: `1/${file}` }] }] };
      await nginx.put(`${model}/1/${file}`, content);
      await nginx.put(`${model}/index.json`, JSON.stringify(index));
    },
    remove: (model, file) => nginx.remove(`${model}/1/${file}`),
    redirect: (model, file) => ({ location: nginx.address(`${model}/1/${file}`), arrives: true }),
    close: nginx.close,
  };
}

/** MLflow's server, by user and password; credentials stay with the address that the connection names. */
export async function mlflowSource(): Promise<FaultySource> {
  const { mlflow } = await services('mlflow');
  const models = new Map<string, MlflowModel>();
  const modelOf = async (name: string): Promise<MlflowModel> => {
    const model = models.get(name) ?? (await newMlflowModel(mlflow, name));
    models.set(name, model);
    return model;
  };
  return {
    upstream: mlflow.url,
    inputs: (model, targetFolder, modelServer) => ({
      ...{ source: 'mlflow', modelServerConnection: 'mlflow', modelServer },
      ...{ model, targetFolder },
    }),
    connections: (inputs) => [{ ...mlflowConnection(mlflow), url: inputs['modelServer'] ?? mlflow.url }],
    put: async (model, file, content) => (await modelOf(model)).put('1', file, content),
    remove: async (model, file) => (await modelOf(model)).remove('1', file),
    redirect: () => ({ location: `${mlflow.url}/api/2.0/mlflow/registered-models/search`, arrives: false }),
    close: done,
  };
}
