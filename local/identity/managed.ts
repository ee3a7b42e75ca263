import type { Application } from './directory.ts';
import type { Entra } from './entra.ts';
import { type Answer, type Asked, type RunningServer, startServer } from './server.ts';

/** The identities of one machine. */
export interface MachineIdentities {
  readonly tenantId: string;
  readonly system?: Application;
  readonly userAssigned: readonly Application[];
}

function badRequest(description: string): Answer {
  return { status: 400, json: { error: 'invalid_request', error_description: description } };
}

/**
 * The instance metadata service's token endpoint: what AZURE_POD_IDENTITY_AUTHORITY_HOST can be pointed at.
 * https://learn.microsoft.com/entra/identity/managed-identities-azure-resources/how-to-use-vm-token
 */
export function startManagedIdentity(machine: MachineIdentities, entra: Entra): Promise<RunningServer> {
  const answer = async (request: Asked): Promise<Answer> => {
    const query = request.url.searchParams;
    // MSAL ends the path with a slash.
    const path = request.url.pathname.replace(/\/$/, '');
    if (path !== '/metadata/identity/oauth2/token' || request.method !== 'GET') {
      return { status: 404, json: { error: 'not_found' } };
    }
    if (request.headers['metadata']?.toLowerCase() !== 'true') {
      return badRequest('Required metadata header not specified');
    }
    if (query.get('api-version') !== '2018-02-01') return badRequest('Invalid api-version');
    const clientId = query.get('client_id');
    const application =
      clientId === null ? machine.system : machine.userAssigned.find((one) => one.clientId === clientId);
    if (application === undefined) return badRequest('Identity not found');
    const resource = query.get('resource') ?? '';
    if (!URL.canParse(resource) && !/^[0-9a-f-]{36}$/.test(resource)) {
      return badRequest('Invalid resource');
    }
    const access_token = await entra.issue(machine.tenantId, application, resource);
    const expires_in = String(entra.lifeSeconds);
    const expires_on = String(Math.floor(Date.now() / 1000) + entra.lifeSeconds);
    const rest = { resource, token_type: 'Bearer', client_id: application.clientId };
    return { status: 200, json: { access_token, expires_in, expires_on, ...rest } };
  };
  return startServer(answer);
}
