import http, { type RequestOptions } from 'node:http';
import https from 'node:https';
import type { IRequestHandler } from 'azure-devops-node-api/interfaces/common/VsoBaseInterfaces.js';
import { answerText, correlation, type HeaderFields, ownHeaders } from '../../http/ownRequest.ts';

/** Sends what Azure DevOps' client asks by this process's network; `explained` words its failures. */
export interface DevOpsNetwork extends IRequestHandler {
  /** The failure with the ids of the request that was sent last. */
  explained(error: unknown): Error;
}

/**
 * The client makes agents of its own, which know the environment's proxy but neither NO_PROXY nor what the agent is
 * configured with: the process's agents take their place, request by request.
 */
export function devOpsNetwork(collection: string): DevOpsNetwork {
  const { protocol } = new URL(collection);
  let sent: HeaderFields = {};
  return {
    prepareRequest(options: RequestOptions) {
      options.agent = protocol === 'https:' ? https.globalAgent : http.globalAgent;
      const own = ownHeaders('azureDevOps');
      options.headers = { ...(options.headers as Record<string, string>), ...own };
      sent = own;
    },
    canHandleAuthentication: () => false,
    handleAuthentication: () => Promise.reject(new Error('it authenticates by its token alone')),
    explained(error) {
      const said = error instanceof Error ? error.message : String(error);
      const { statusCode, responseHeaders } = error as {
        readonly statusCode?: number;
        readonly responseHeaders?: HeaderFields;
      };
      const ids =
        statusCode === undefined ? correlation(sent) : answerText(statusCode, sent, responseHeaders ?? {});
      return new Error(ids === '' ? said : `${said} (${ids})`, { cause: error });
    },
  };
}
