import { audiences, type LocalIdentity } from '../identity/index.ts';
import { type Answer, type Asked, type RunningServer, startServer } from '../identity/server.ts';
import { type ListedResource, listOf } from './armLists.ts';
import { forbidden, refused, tokenRefused, versionRefusal, wrongTenant } from './armRefusals.ts';
import { createLocalTasks, listedRegistry, type TasksRegistry } from './registryTasks.ts';
import { type ClusterCommands, createRunCommands, type RunCommands } from './runCommands.ts';

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
  readonly isPrivate?: boolean;
  /** Absent where no command can be run. */
  readonly commands?: ClusterCommands;
}

/** The resource manager, in this process, over HTTPS. */
export interface LocalArm extends RunningServer {
  /** The tenant that its subscriptions trust. */
  tenantId: string;
  clusters: readonly ManagedCluster[];
  /** What it lists beside the clusters. */
  resources: readonly ListedResource[];
  /** Registries with Tasks. */
  registries: readonly TasksRegistry[];
}

/** Versions of Microsoft.ContainerService/managedClusters that this one knows. */
const versions: ReadonlySet<string> = new Set(['2024-05-01', '2024-09-01', '2025-03-01']);

const route =
  /^\/subscriptions\/([^/]+)\/resourceGroups\/([^/]+)\/providers\/Microsoft\.ContainerService\/managedClusters\/([^/]+)(?:\/(.+))?$/i;

const provider = 'Microsoft.ContainerService/managedClusters';

type Same = (a: string, b: string) => boolean;
const same: Same = (a, b) => a.toLowerCase() === b.toLowerCase();

function credentialOf(cluster: ManagedCluster, kind: string, objectId: string, request: Asked): Answer {
  const path = request.url.pathname;
  const admin = kind.toLowerCase() === 'admin';
  if (!(admin ? cluster.admins : [...cluster.users, ...cluster.admins]).includes(objectId)) {
    return forbidden(objectId, `${provider}/listCluster${kind}Credential/action`, path);
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

/** The published shape, as far as clients of this product may look at it. */
function described(cluster: ManagedCluster, objectId: string, path: string): Answer {
  const { users, admins, commands, isPrivate = false, localAccountsDisabled, name } = cluster;
  if (![...users, ...admins, ...(commands?.runners ?? [])].includes(objectId)) {
    return forbidden(objectId, `${provider}/read`, path);
  }
  const properties = {
    provisioningState: 'Succeeded',
    powerState: { code: 'Running' },
    currentKubernetesVersion: '1.36.3',
    disableLocalAccounts: localAccountsDisabled,
    apiServerAccessProfile: {
      enablePrivateCluster: isPrivate,
      disableRunCommand: commands?.disabled ?? false,
    },
    ...(localAccountsDisabled ? { aadProfile: { managed: true, enableAzureRBAC: true } } : {}),
  };
  return { status: 200, json: { id: path, name, type: provider, location: 'westeurope', properties } };
}

/** One request to a cluster that exists, by an identity. */
interface ClusterRequest {
  readonly cluster: ManagedCluster;
  /** What follows the cluster's name in the path; empty for the cluster itself. */
  readonly action: string;
  readonly objectId: string;
  readonly request: Asked;
}

async function command(asked: ClusterRequest, commands: RunCommands): Promise<Answer> {
  const { cluster, action, objectId, request } = asked;
  const [, id] = /^commandResults\/(\w+)$/i.exec(action) ?? [];
  if (cluster.commands?.runners.includes(objectId) !== true) {
    const wanted = id === undefined ? 'runcommand/action' : 'commandResults/read';
    return forbidden(objectId, `${provider}/${wanted}`, request.url.pathname);
  }
  if (id !== undefined) return commands.result(id, request);
  return commands.submit(cluster.commands, cluster.localAccountsDisabled, request);
}

async function answerFor(asked: ClusterRequest, commands: RunCommands): Promise<Answer> {
  const { cluster, action, objectId, request } = asked;
  const call = `${request.method} ${action}`;
  const [, kind] = /^POST listCluster(User|Admin)Credential$/i.exec(call) ?? [];
  if (kind !== undefined) return credentialOf(cluster, kind, objectId, request);
  if (call === 'GET ') return described(cluster, objectId, request.url.pathname);
  if (/^(POST runCommand|GET commandResults\/\w+)$/i.test(call)) return command(asked, commands);
  if (/^(listCluster(User|Admin)Credential|runCommand|commandResults\/\w+|)$/i.test(action)) {
    return refused(405, 'HttpMethodNotAllowed', `The method '${request.method}' is not allowed.`);
  }
  return refused(404, 'InvalidResourceType', 'The resource type could not be found.');
}

function listed({ subscriptionId, resourceGroup, name }: ManagedCluster): ListedResource {
  return { type: provider, subscriptionId, resourceGroup, name };
}

function clusterNamed(arm: LocalArm, names: readonly string[]): ManagedCluster | Answer {
  const [subscription = '', group = '', name = ''] = names;
  const inSubscription = arm.clusters.filter((one) => same(one.subscriptionId, subscription));
  if (inSubscription.length === 0) {
    return refused(404, 'SubscriptionNotFound', `The subscription '${subscription}' could not be found.`);
  }
  const inGroup = inSubscription.filter((one) => same(one.resourceGroup, group));
  if (inGroup.length === 0) {
    return refused(404, 'ResourceGroupNotFound', `Resource group '${group}' could not be found.`);
  }
  const message = `The Resource '${provider}/${name}' under resource group '${group}' was not found.`;
  return inGroup.find((one) => same(one.name, name)) ?? refused(404, 'ResourceNotFound', message);
}

/** The resource manager's calls that the product makes, with their checks and their published errors. */
export async function startArm(local: LocalIdentity): Promise<LocalArm> {
  const commands = createRunCommands(local);
  const tasks = createLocalTasks();
  const answer = async (request: Asked): Promise<Answer> => {
    const verified = await local.entra.verify(request.headers['authorization'], [audiences.resourceManager]);
    if ('problem' in verified) return tokenRefused(verified.problem);
    const resources = [...arm.clusters.map(listed), ...arm.resources, ...arm.registries.map(listedRegistry)];
    const { tid } = verified.claims;
    if (tid !== arm.tenantId) return wrongTenant(String(tid), arm.tenantId);
    const list = listOf(resources, request);
    if (list !== undefined) return list;
    const objectId = String(verified.claims['oid']);
    const ofTasks = await tasks.answer(arm.registries, request, objectId);
    if (ofTasks !== undefined) return ofTasks;
    const wrongVersion = versionRefusal(request.url.searchParams.get('api-version'), versions);
    if (wrongVersion !== undefined) return wrongVersion;
    const found = route.exec(request.url.pathname);
    if (found === null) return refused(404, 'InvalidResourceType', 'The resource type could not be found.');
    const cluster = clusterNamed(arm, found.slice(1, 4));
    if ('status' in cluster) return cluster;
    return answerFor({ cluster, action: found[4] ?? '', objectId, request }, commands);
  };
  const server = await startServer(answer, await local.authority.issue());
  const arm: LocalArm = {
    ...server,
    tenantId: local.tenantId,
    clusters: [],
    resources: [],
    registries: [],
    close: async () => {
      commands.close();
      await tasks.close();
      await server.close();
    },
  };
  return arm;
}
