import { DeliveryError } from '../errors.ts';
import type { PipelineIdentity } from '../host/host.ts';
import { type AzureAnswer, fieldsOf, type SendAzure } from './http.ts';

/** Version of the REST call. https://learn.microsoft.com/rest/api/azure/devops/distributedtask/oidctoken/create */
const apiVersion = '7.1';

/** A pipeline's proof of identity for one service connection. */
export interface OidcRequest {
  readonly pipeline: PipelineIdentity | undefined;
  readonly connectionId: string;
  readonly signal: AbortSignal;
}

function missing(connectionId: string, what: string): DeliveryError {
  return new DeliveryError({
    code: 'IDENTITY_OIDC_MISSING',
    side: 'agent',
    message: `Service connection '${connectionId}' signs in by an OIDC token of the pipeline, and this job has no ${what}.`,
    remedy:
      'Run the step in a job of Azure Pipelines, on an agent of version 3.229 or later (Azure DevOps Server: 2022.1 or later).',
  });
}

function refused(connectionId: string, answer: AzureAnswer): DeliveryError {
  const said = fieldsOf(answer)['message'];
  const reason = typeof said === 'string' ? said : `the answer was HTTP ${answer.status}`;
  return new DeliveryError({
    code: 'IDENTITY_OIDC_REFUSED',
    side: 'identity',
    message: `Azure DevOps gave no OIDC token for service connection '${connectionId}' (HTTP ${answer.status}).`,
    remedy:
      answer.status === 401
        ? "The job's access token was not accepted: it ends with the job, and a step that runs longer than the job's time-out is refused."
        : 'Check that the service connection still exists, that this pipeline is authorised to use it, and that it signs in by OIDC (workload identity federation).',
    cause: new Error(`${reason} (${answer.correlation})`),
  });
}

/** The job's access token is sent there: never unencrypted. */
function secureUrl(text: string): URL | undefined {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  return url?.protocol === 'https:' ? url : undefined;
}

/**
 * A new OIDC token of the running job; it is valid for minutes only, so none is ever kept.
 * Throws IDENTITY_OIDC_MISSING or IDENTITY_OIDC_REFUSED, or what the socket threw.
 */
export async function requestOidcToken(send: SendAzure, request: OidcRequest): Promise<string> {
  const { pipeline, connectionId, signal } = request;
  if (pipeline === undefined) throw missing(connectionId, 'access token (System.AccessToken)');
  if (pipeline.oidcRequestUri === undefined) throw missing(connectionId, 'address of OIDC tokens');
  const url = secureUrl(pipeline.oidcRequestUri);
  if (url === undefined) throw missing(connectionId, 'https address of OIDC tokens');
  url.searchParams.set('api-version', apiVersion);
  url.searchParams.set('serviceConnectionId', connectionId);
  const headers = {
    authorization: `Bearer ${pipeline.accessToken}`,
    'content-type': 'application/json',
    // Without it an unauthorised request is answered by a sign-in page.
    'x-tfs-fedauthredirect': 'Suppress',
  };
  const asked = { method: 'POST', url, headers, body: '', service: 'azureDevOps' } as const;
  const answer = await send(asked, signal);
  const token = fieldsOf(answer)['oidcToken'];
  if (answer.status === 200 && typeof token === 'string' && token !== '') return token;
  throw refused(connectionId, answer);
}
