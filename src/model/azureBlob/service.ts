import http from 'node:http';
import https from 'node:https';
import {
  AnonymousCredential,
  BlobServiceClient,
  newPipeline,
  type Pipeline,
  type StoragePipelineOptions,
  StorageSharedKeyCredential,
} from '@azure/storage-blob';
import { installedNetwork } from '../../http/network/network.ts';
import { userAgent } from '../../http/ownRequest.ts';
import type { AzureBlobLocation } from './location.ts';

type Credential = Parameters<typeof newPipeline>[0];

/** The SDK reads the proxy of the environment alone; the process's own agents know the agent's too. */
export function pipelineOf(credential: Credential, options: StoragePipelineOptions): Pipeline {
  const pipeline = newPipeline(credential, options);
  if (installedNetwork() === undefined) return pipeline;
  pipeline.factories.push({
    create: (next) => ({
      sendRequest(request) {
        request.agent = request.url.startsWith('https:') ? https.globalAgent : http.globalAgent;
        return next.sendRequest(request);
      },
      log: () => undefined,
      shouldLog: () => false,
    }),
  });
  return pipeline;
}

/** The SDK's client of an account, with at most `maxTries` attempts a request. */
export function serviceClient(location: AzureBlobLocation, maxTries: number): BlobServiceClient {
  const { credential, endpoint } = location;
  const retryOptions = { maxTries, retryDelayInMs: 500, maxRetryDelayInMs: 8000 };
  const options = { retryOptions, userAgentOptions: { userAgentPrefix: userAgent() } };
  switch (credential.kind) {
    case 'accountKey': {
      const key = new StorageSharedKeyCredential(credential.account, credential.key);
      return new BlobServiceClient(endpoint, pipelineOf(key, options));
    }
    case 'sas':
      return new BlobServiceClient(
        `${endpoint}?${credential.token}`,
        pipelineOf(new AnonymousCredential(), options),
      );
    case 'identity':
      return new BlobServiceClient(endpoint, pipelineOf(credential.identity, options));
    case 'anonymous':
      return new BlobServiceClient(endpoint, pipelineOf(new AnonymousCredential(), options));
  }
}
