import type { Answer, Asked } from '../identity/server.ts';
import type { ListedResource } from './armLists.ts';
import { forbidden, refused, versionRefusal } from './armRefusals.ts';
import { callerVersion, readOrder } from './taskRequest.ts';
import { createTaskRuns, type Run, type TaskRuns, type TasksSettings } from './taskRuns.ts';

/** A registry as the resource manager knows it, with its Tasks. */
export interface TasksRegistry {
  readonly subscriptionId: string;
  readonly resourceGroup: string;
  readonly name: string;
  /** Permissions are by repository (ABAC). */
  readonly byRepository: boolean;
  readonly settings: TasksSettings;
}

const provider = 'Microsoft.ContainerRegistry/registries';
const versions: ReadonlySet<string> = new Set(['2019-06-01-preview', callerVersion]);
const route =
  /^\/subscriptions\/([^/]+)\/resourceGroups\/([^/]+)\/providers\/Microsoft\.ContainerRegistry\/registries\/([^/]+)\/(.+)$/i;

export function listedRegistry({ settings, byRepository, ...names }: TasksRegistry): ListedResource {
  const roleAssignmentMode = byRepository ? 'AbacRepositoryPermissions' : 'LegacyRegistryPermissions';
  const loginServer = new URL(settings.acr.url).host;
  const { subscriptionId, resourceGroup, name } = names;
  return {
    type: provider,
    subscriptionId,
    resourceGroup,
    name,
    properties: { loginServer, roleAssignmentMode },
  };
}

/** What a request needs the right to, by its method and what follows the registry in its path. */
const actions: readonly (readonly [RegExp, string])[] = [
  [/^POST listBuildSourceUploadUrl$/i, 'listBuildSourceUploadUrl/action'],
  [/^POST scheduleRun$/i, 'scheduleRun/action'],
  [/^GET runs\/\w+$/i, 'runs/read'],
  [/^POST runs\/\w+\/listLogSasUrl$/i, 'runs/listLogSasUrl/action'],
  [/^POST runs\/\w+\/cancel$/i, 'runs/cancel/action'],
];

function described(run: Run, { settings }: TasksRegistry, path: string): Answer {
  const { image } = run;
  const named = settings.namesImage && image !== undefined && run.status === 'Succeeded';
  const registry = new URL(settings.acr.url).host;
  const properties = {
    ...{ runId: run.id, status: run.status, runType: 'QuickBuild', createTime: run.created },
    ...{ provisioningState: 'Succeeded', isArchiveEnabled: false },
    ...(named ? { outputImages: [{ registry, ...image }] } : {}),
  };
  return { status: 200, json: { id: path, name: run.id, type: `${provider}/runs`, properties } };
}

interface TaskRequest {
  readonly registry: TasksRegistry;
  readonly runs: TaskRuns;
  readonly objectId: string;
  readonly version: string;
  readonly request: Asked;
}

async function schedule({ registry, runs, objectId, version, request }: TaskRequest): Promise<Answer> {
  const { settings, byRepository } = registry;
  if (!settings.allowed) {
    const message = `ACR Tasks requests for the registry ${registry.name} and ${registry.subscriptionId} are not permitted. Please file an Azure support request at http://aka.ms/azuresupport for assistance.`;
    return refused(403, 'TasksOperationsNotAllowed', message);
  }
  const order = readOrder(request.text, version);
  if (typeof order === 'string') return refused(400, 'InvalidRequestContent', order);
  if (order.pool !== undefined && !settings.pools.includes(order.pool)) {
    return refused(404, 'ResourceNotFound', `The agent pool '${order.pool}' was not found.`);
  }
  const context = await runs.storage.context(order.source);
  if (context === undefined) return refused(400, 'BadRequest', `No source at '${order.source}'.`);
  // Without permissions by repository a run may do everything in its registry.
  const principal = order.asCaller ? objectId : byRepository ? '' : settings.acr.tasksPrincipal;
  const run = runs.start(order, context, await settings.acr.passwordOf(principal));
  return described(run, registry, `${request.url.pathname.replace(/scheduleRun$/i, 'runs')}/${run.id}`);
}

async function ofRun(asked: TaskRequest, id: string, action: string | undefined): Promise<Answer> {
  const { registry, runs, request } = asked;
  const run = runs.all.get(id);
  if (run === undefined) return refused(404, 'RunNotFound', `The run '${id}' was not found.`);
  if (action === undefined) return described(run, registry, request.url.pathname);
  if (action.toLowerCase() === 'listlogsasurl') return { status: 200, json: { logLink: run.log.url } };
  if (!['Queued', 'Started', 'Running'].includes(run.status))
    return refused(409, 'RunCannotBeCanceled', 'The run has ended.');
  await runs.cancel(run);
  return { status: 200, json: {} };
}

async function answerTo(asked: TaskRequest, rest: string): Promise<Answer> {
  const { registry, request, objectId, runs } = asked;
  const call = `${request.method} ${rest}`;
  const action = actions.find(([pattern]) => pattern.test(call))?.[1];
  if (action === undefined)
    return refused(404, 'InvalidResourceType', 'The resource type could not be found.');
  if (!registry.settings.contributors.includes(objectId)) {
    return forbidden(objectId, `${provider}/${action}`, request.url.pathname);
  }
  const [, id, what] = /^runs\/(\w+)(?:\/(\w+))?$/i.exec(rest) ?? [];
  if (id !== undefined) return ofRun(asked, id, what);
  if (/^scheduleRun$/i.test(rest)) return schedule(asked);
  return { status: 200, json: await runs.storage.place() };
}

/** The Tasks of all registries of one resource manager. */
export interface LocalTasks {
  /** The answer to a request about a registry's Tasks; undefined for any other. */
  answer(registries: readonly TasksRegistry[], request: Asked, objectId: string): Promise<Answer | undefined>;
  close(): Promise<void>;
}

/**
 * Azure Container Registry's Tasks: versions, methods, paths, rights and bodies are checked as published, and builds run
 * for real. https://learn.microsoft.com/rest/api/container-registry/registries/schedule-run
 */
export function createLocalTasks(): LocalTasks {
  const runsOf = new Map<TasksSettings, TaskRuns>();
  return {
    async answer(registries, request, objectId) {
      const found = route.exec(decodeURIComponent(request.url.pathname));
      if (found === null) return undefined;
      const version = request.url.searchParams.get('api-version');
      const wrongVersion = versionRefusal(version, versions);
      if (wrongVersion !== undefined) return wrongVersion;
      const [subscription, group, name, rest = ''] = found.slice(1).map((part) => part.toLowerCase());
      const registry = registries.find((one) =>
        [one.subscriptionId, one.resourceGroup, one.name].every(
          (part, index) => part.toLowerCase() === [subscription, group, name][index],
        ),
      );
      if (registry === undefined) {
        const message = `The Resource '${provider}/${name}' under resource group '${group}' was not found.`;
        return refused(404, 'ResourceNotFound', message);
      }
      const runs = runsOf.get(registry.settings) ?? createTaskRuns(registry.settings);
      runsOf.set(registry.settings, runs);
      return answerTo({ registry, runs, objectId, version: version ?? '', request }, rest);
    },
    async close() {
      await Promise.all([...runsOf.values()].map((runs) => runs.close()));
    },
  };
}
