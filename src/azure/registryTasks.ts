import { DeliveryError } from '../errors.ts';
import type { Host, ServiceConnection } from '../host/host.ts';
import { required } from '../host/inputs.ts';
import type { RegistryTasks, TaskBuild, TaskRun } from '../image/acr/tasks.ts';
import { type Arm, armFields } from './arm.ts';
import { azureConnection } from './connection.ts';
import { createCredential } from './credential.ts';
import { createSend } from './http.ts';
import { type FoundRegistry, findRegistry } from './registryFound.ts';
import { explainTasks } from './registryTasksRefused.ts';
import type { Network } from './signIn.ts';

/** Every cloud serves it, and Azure's own command line uses it. */
const usualVersion = '2019-06-01-preview';
/** The first in which a run can push as the one who has asked for it. */
const callerVersion = '2025-03-01-preview';
/** For what must be sent although the agent has cancelled the task; it ends the process a minute later. */
const afterCancelMs = 20_000;
const scheduleMs = 120_000;

function record(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
}

function answerInvalid(registry: string, lacking: string): DeliveryError {
  return new DeliveryError({
    code: 'ACR_ANSWER_INVALID',
    side: 'engine',
    message: `The Tasks of registry ${registry} gave no ${lacking}.`,
    remedy: 'Run again; the state of the service is at https://status.azure.com.',
  });
}

/**
 * Build arguments are all told as secrets: the service then keeps no value of them in the run's record or log, and a
 * pipeline's secret variable cannot be told from any other value here.
 */
function argumentsOf(build: TaskBuild): readonly object[] {
  return Object.entries(build.buildArguments).map(([name, value]) => ({ name, value, isSecret: true }));
}

function credentialsOf(build: TaskBuild, found: FoundRegistry): object {
  const opaque = (value: string): object => ({ type: 'Opaque', value });
  const others = Object.entries(build.credentials).map(([host, { username, password }]) => [
    host,
    { userName: opaque(username), password: opaque(password) },
  ]);
  return {
    // With permissions by repository a run has no right of its own: it pulls and pushes as the caller.
    ...(found.byRepository ? { sourceRegistry: { identity: '[caller]' } } : {}),
    ...(others.length === 0 ? {} : { customRegistries: Object.fromEntries(others) as object }),
  };
}

/** https://learn.microsoft.com/rest/api/container-registry/registries/schedule-run#dockerbuildrequest */
function requestOf(build: TaskBuild, found: FoundRegistry): object {
  const { os, architecture, variant } = build.platform;
  return {
    type: 'DockerBuildRequest',
    imageNames: [build.imageName],
    isPushEnabled: true,
    noCache: false,
    dockerFilePath: build.dockerfile,
    ...(build.target === undefined ? {} : { target: build.target }),
    arguments: argumentsOf(build),
    timeout: build.timeoutSeconds,
    platform: {
      os: `${os.slice(0, 1).toUpperCase()}${os.slice(1)}`,
      architecture,
      ...(variant === undefined ? {} : { variant }),
    },
    sourceLocation: build.contextPath,
    credentials: credentialsOf(build, found),
    ...(build.agentPool === undefined ? {} : { agentPoolName: build.agentPool }),
  };
}

function runOf(fields: Readonly<Record<string, unknown>>): TaskRun & { readonly id?: string } {
  const { runId, status, outputImages, runErrorMessage } = record(fields['properties']);
  const digest = Array.isArray(outputImages) ? record(outputImages[0])['digest'] : undefined;
  return {
    status: typeof status === 'string' ? status : '',
    ...(typeof runId === 'string' ? { id: runId } : {}),
    ...(typeof digest === 'string' && digest.startsWith('sha256:') ? { imageDigest: digest } : {}),
    ...(typeof runErrorMessage === 'string' && runErrorMessage !== '' ? { reason: runErrorMessage } : {}),
  };
}

/** What a registry's Tasks are asked by. */
export interface TasksAccess {
  readonly arm: Arm;
  /** Like `arm`, ended by this time and not by the agent's cancel. */
  readonly lasting: (ms: number) => Arm;
  readonly subscriptionId: string;
  /** Host of the login server. */
  readonly registry: string;
  readonly secret: (value: string) => void;
}

function createRegistryTasks({ arm, lasting, subscriptionId, registry, secret }: TasksAccess): RegistryTasks {
  let looked: Promise<FoundRegistry> | undefined;
  const find = (): Promise<FoundRegistry> => {
    looked ??= findRegistry(arm, subscriptionId, registry);
    return looked;
  };
  const explained = async <T>(action: string, work: (found: FoundRegistry) => Promise<T>): Promise<T> => {
    try {
      return await work(await find());
    } catch (error) {
      if (error instanceof DOMException && error.name === 'TimeoutError') {
        throw answerInvalid(registry, 'answer in time');
      }
      throw explainTasks(error, registry, { action, subscriptionId });
    }
  };
  const fields = (found: FoundRegistry, method: 'GET' | 'POST', path: string, body?: unknown, by = arm) =>
    armFields(by, {
      ...{ method, path: `${found.id}/${path}` },
      apiVersion: found.byRepository ? callerVersion : usualVersion,
      ...(body === undefined ? {} : { body }),
    });
  /** An address with a signature in it, which opens a blob to whoever knows it. */
  const signed = (value: unknown, what: string): string => {
    if (typeof value !== 'string' || !URL.canParse(value)) throw answerInvalid(registry, what);
    const signature = new URL(value).searchParams.get('sig');
    if (signature !== null) for (const form of [signature, encodeURIComponent(signature)]) secret(form);
    return value;
  };

  return {
    registry,
    uploadPlace: () =>
      explained('upload a context', async (found) => {
        const { uploadUrl, relativePath } = await fields(found, 'POST', 'listBuildSourceUploadUrl');
        if (typeof relativePath !== 'string') throw answerInvalid(registry, 'place for the context');
        return { url: signed(uploadUrl, 'place for the context'), path: relativePath };
      }),
    schedule: (build) =>
      explained('schedule a build', async (found) => {
        const body = requestOf(build, found);
        const { id } = runOf(await fields(found, 'POST', 'scheduleRun', body, lasting(scheduleMs)));
        if (id === undefined) throw answerInvalid(registry, 'id of the run');
        return id;
      }),
    run: (id) => explained('read a run', async (found) => runOf(await fields(found, 'GET', `runs/${id}`))),
    logUrl: (id) =>
      explained('read the log of a run', async (found) =>
        signed((await fields(found, 'POST', `runs/${id}/listLogSasUrl`))['logLink'], 'address of the log'),
      ),
    cancel: (id) =>
      explained('cancel a run', async (found) => {
        await fields(found, 'POST', `runs/${id}/cancel`, undefined, lasting(afterCancelMs));
      }),
  };
}

/**
 * The Tasks of the registry, by the identity of a service connection; nothing is asked yet. Throws INPUT_MISSING and
 * SERVICE_CONNECTION_… errors.
 * https://learn.microsoft.com/rest/api/container-registry/registries/schedule-run
 */
export function openRegistryTasks(
  connection: ServiceConnection,
  registryUrl: string,
  host: Pick<Host, 'secret' | 'pipelineIdentity' | 'cancelled' | 'log'>,
  network: Network = {},
): RegistryTasks {
  const azure = azureConnection(connection);
  const subscriptionId = required(
    azure.subscriptionId,
    'azureSubscription',
    "with engine 'acr', of a service connection for one subscription",
  );
  const secret = (value: string): void => host.secret(value);
  // Signs in after the agent's cancel too: the run has to be cancelled then.
  const identity = createCredential(
    azure,
    {
      ...{ secret, pipelineIdentity: () => host.pipelineIdentity(), log: host.log },
      cancelled: new AbortController().signal,
    },
    network,
  );
  const common = { cloud: azure.cloud, identity, send: createSend(network, host.log) };
  return createRegistryTasks({
    arm: { ...common, signal: host.cancelled },
    lasting: (ms) => ({ ...common, signal: AbortSignal.timeout(ms) }),
    ...{ subscriptionId, registry: new URL(registryUrl).host, secret },
  });
}
