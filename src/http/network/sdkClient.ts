import http from 'node:http';
import https from 'node:https';
import { createDefaultHttpClient, type HttpClient } from '@azure/core-rest-pipeline';
import { installedNetwork } from './network.ts';

/**
 * For clients of Azure's SDKs, which read the proxy of the environment alone: requests go by the process's agents.
 * Empty where no network is installed.
 */
export function sdkClient(): { httpClient?: HttpClient } {
  if (installedNetwork() === undefined) return {};
  const usual = createDefaultHttpClient();
  const send: HttpClient['sendRequest'] = (request) => {
    request.agent = request.url.startsWith('https:') ? https.globalAgent : http.globalAgent;
    return usual.sendRequest(request);
  };
  return { httpClient: { sendRequest: send } };
}
