import { randomUUID } from 'node:crypto';
import { audiences, type LocalIdentity } from '../identity/index.ts';
import { type Answer, type Asked, type RunningServer, startServer } from '../identity/server.ts';

/** A managed cluster as the resource manager knows it. */
export interface ManagedCluster {
  readonly subscriptionId: string;
  readonly resourceGroup: string;
  readonly name: string;
  readonly userKubeconfig: string;
  /** The same by the public name of a private cluster's API server, where it has one. */
  readonly publicKubeconfig?: string;
  readonly adminKubeconfig: string;
  readonly localAccountsDisabled: boolean;
  /** Object ids with the Cluster User Role. */
  readonly users: readonly string[];
  /** Object ids with the Cluster Admin Role. */
  readonly admins: readonly string[];
}

/** The resource manager, in this process, over HTTPS. */
export interface LocalArm extends RunningServer {
  clusters: readonly ManagedCluster[];
}

/** Versions of Microsoft.ContainerService/managedClusters that this one knows. */
const versions: ReadonlySet<string> = new Set(['2024-05-01', '2024-09-01', '2025-03-01']);

function refused(status: number, code: string, message: string): Answer {
  const headers = { 'x-ms-correlation-request-id': randomUUID(), 'x-ms-request-id': randomUUID() };
  return { status, json: { error: { code, message } }, headers };
}

const tokenProblems = {
  missing: ['AuthenticationFailed', "Authentication failed. The 'Authorization' header is missing."],
  signature: ['InvalidAuthenticationToken', 'The access token is invalid.'],
  expired: [
    'ExpiredAuthenticationToken',
    'The access token expiry UTC time is earlier than current UTC time.',
  ],
  audience: [
    'InvalidAuthenticationTokenAudience',
    'The access token has been obtained for wrong audience or resource.',
  ],
} as const;

const route =
  /^\/subscriptions\/([^/]+)\/resourceGroups\/([^/]+)\/providers\/Microsoft\.ContainerService\/managedClusters\/([^/]+)\/listCluster(User|Admin)Credential$/i;

function versionRefusal(version: string | null): Answer | undefined {
  if (version === null) {
    const message = 'The api-version query parameter (?api-version=) is required for all requests.';
    return refused(400, 'MissingApiVersionParameter', message);
  }
  if (versions.has(version)) return undefined;
  const message = `No registered resource provider found for API version '${version}'.`;
  return refused(400, 'NoRegisteredProviderFound', message);
}

type Same = (a: string, b: string) => boolean;
const same: Same = (a, b) => a.toLowerCase() === b.toLowerCase();

function credentialOf(cluster: ManagedCluster, kind: string, objectId: string, request: Asked): Answer {
  const path = request.url.pathname;
  const admin = kind.toLowerCase() === 'admin';
  const action = `Microsoft.ContainerService/managedClusters/listCluster${kind}Credential/action`;
  if (!(admin ? cluster.admins : [...cluster.users, ...cluster.admins]).includes(objectId)) {
    return refused(
      403,
      'AuthorizationFailed',
      `The client '${objectId}' with object id '${objectId}' does not have authorization to perform action '${action}' over scope '${path}' or the scope is invalid. If access was recently granted, please refresh your credentials.`,
    );
  }
  if (admin && cluster.localAccountsDisabled) {
    const message =
      'Getting static credential is not allowed because this cluster is set to disable local accounts.';
    return refused(400, 'BadRequest', message);
  }
  const isPublic = request.url.searchParams.get('server-fqdn') === 'public';
  if (isPublic && cluster.publicKubeconfig === undefined) {
    return refused(400, 'BadRequest', 'Public FQDN is not enabled for this cluster.');
  }
  const user = isPublic ? (cluster.publicKubeconfig ?? '') : cluster.userKubeconfig;
  const text = admin ? cluster.adminKubeconfig : user;
  const name = admin ? 'clusterAdmin' : 'clusterUser';
  return { status: 200, json: { kubeconfigs: [{ name, value: Buffer.from(text).toString('base64') }] } };
}

/** The resource manager's calls that the product makes, with their checks and their published errors. */
export async function startArm(local: LocalIdentity): Promise<LocalArm> {
  const answer = async (request: Asked): Promise<Answer> => {
    const verified = await local.entra.verify(request.headers['authorization'], [audiences.resourceManager]);
    if ('problem' in verified) {
      const [code, message] = tokenProblems[verified.problem];
      return refused(401, code, message);
    }
    const wrongVersion = versionRefusal(request.url.searchParams.get('api-version'));
    if (wrongVersion !== undefined) return wrongVersion;
    const { pathname } = request.url;
    const [, subscription = '', group = '', name = '', kind = ''] = route.exec(pathname) ?? [];
    if (kind === '') return refused(404, 'InvalidResourceType', 'The resource type could not be found.');
    if (request.method !== 'POST') {
      return refused(405, 'HttpMethodNotAllowed', `The method '${request.method}' is not allowed.`);
    }
    const inSubscription = arm.clusters.filter((one) => same(one.subscriptionId, subscription));
    if (inSubscription.length === 0) {
      const message = `The subscription '${subscription}' could not be found.`;
      return refused(404, 'SubscriptionNotFound', message);
    }
    const inGroup = inSubscription.filter((one) => same(one.resourceGroup, group));
    if (inGroup.length === 0) {
      return refused(404, 'ResourceGroupNotFound', `Resource group '${group}' could not be found.`);
    }
    const cluster = inGroup.find((one) => same(one.name, name));
    if (cluster === undefined) {
      const resource = `Microsoft.ContainerService/managedClusters/${name}`;
      const message = `The Resource '${resource}' under resource group '${group}' was not found.`;
      return refused(404, 'ResourceNotFound', message);
    }
    return credentialOf(cluster, kind, String(verified.claims['oid']), request);
  };
  const server = await startServer(answer, await local.authority.issue());
  const arm: LocalArm = { ...server, clusters: [] };
  return arm;
}
