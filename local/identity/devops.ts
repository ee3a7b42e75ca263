import { randomBytes, randomUUID } from 'node:crypto';
import type { JWTVerifyGetKey } from 'jose';
import type { ServerCertificate } from './authority.ts';
import { createSigner } from './keys.ts';
import { type Answer, type Asked, type RunningServer, startServer } from './server.ts';

/** Audience that federated credentials of pipelines are made for. */
export const tokenExchange = 'api://AzureADTokenExchange';

/** The pipelines' OIDC endpoint, in this process, over HTTPS. */
export interface DevOps extends RunningServer {
  /** Value of System.OidcRequestUri. */
  readonly oidcRequestUri: string;
  /** Value of System.AccessToken. */
  readonly accessToken: string;
  readonly issuer: string;
  readonly verifyKey: JWTVerifyGetKey;
  /** Life of the OIDC tokens given from now on, in seconds. */
  lifeSeconds: number;
  /** Signs the next tokens with a key that the issuer does not publish. */
  forge: boolean;
  /** Audience of the tokens given from now on. */
  audience: string;
  /** Gives the same token again and again, as a service with a cache would. */
  replay: boolean;
  /** OIDC tokens given so far. */
  issued(): readonly string[];
  subjectOf(connectionId: string): string;
}

/** Why a request is refused; undefined for one that gets a token. */
function refusalOf(
  request: Asked,
  path: string,
  accessToken: string,
  connections: ReadonlyMap<string, string>,
): Answer | undefined {
  const query = request.url.searchParams;
  const id = query.get('serviceConnectionId') ?? '';
  const refused = (status: number, message: string): Answer => ({
    ...{ status, json: { message } },
    headers: { 'x-vss-e2eid': randomUUID() },
  });
  if (request.url.pathname !== path) return refused(404, 'No such resource.');
  if (request.method !== 'POST') return refused(405, 'Only POST is supported.');
  if (request.headers['authorization'] !== `Bearer ${accessToken}`) {
    return refused(401, 'The access token is not valid for this job.');
  }
  if (query.get('api-version') !== '7.1') return refused(400, 'The api-version is missing or not supported.');
  return connections.has(id) ? undefined : refused(404, `No service connection found with identifier ${id}.`);
}

/**
 * Answers `POST …/oidctoken?api-version=7.1&serviceConnectionId=…` for the known connections and refuses the rest.
 * https://learn.microsoft.com/rest/api/azure/devops/distributedtask/oidctoken/create
 */
export async function startDevOps(
  connections: ReadonlyMap<string, string>,
  certificate: ServerCertificate,
): Promise<DevOps> {
  const [signer, forger] = [await createSigner(), await createSigner()];
  const [plan, job] = [randomUUID(), randomUUID()];
  const path = `/local/_apis/distributedtask/hubs/build/plans/${plan}/jobs/${job}/oidctoken`;
  const accessToken = randomBytes(32).toString('base64url');
  let last: string | undefined;
  const issued: string[] = [];

  const subjectOf = (id: string): string => `sc://local/project/${connections.get(id) ?? ''}`;

  const give = async (request: Asked): Promise<Answer> => {
    const refused = refusalOf(request, path, accessToken, connections);
    if (refused !== undefined) return refused;
    const id = request.url.searchParams.get('serviceConnectionId') ?? '';
    const claims = { iss: devops.issuer, sub: subjectOf(id), aud: devops.audience };
    const kept = devops.replay ? last : undefined;
    const oidcToken = kept ?? (await (devops.forge ? forger : signer).sign(claims, devops.lifeSeconds));
    last = devops.replay ? oidcToken : undefined;
    issued.push(oidcToken);
    return { status: 200, json: { oidcToken } };
  };

  const server = await startServer(give, certificate);
  const devops: DevOps = {
    ...server,
    oidcRequestUri: `${server.url}${path}`,
    accessToken,
    issuer: `${server.url}/organisation`,
    verifyKey: signer.verifyKey,
    lifeSeconds: 600,
    forge: false,
    audience: tokenExchange,
    replay: false,
    issued: () => issued,
    subjectOf,
  };
  return devops;
}
