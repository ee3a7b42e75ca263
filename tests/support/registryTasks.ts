import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Agent } from 'undici';
import { type LocalAcr, startAcr } from '../../local/azure/acr.ts';
import { type LocalArm, startArm } from '../../local/azure/arm.ts';
import type { TasksSettings } from '../../local/azure/taskRuns.ts';
import { type LocalIdentity, startIdentity } from '../../local/identity/index.ts';
import { createContext } from '../../local/lib/context.ts';
import { createAcrTokens } from '../../src/azure/acr.ts';
import { azureConnection } from '../../src/azure/connection.ts';
import { createCredential } from '../../src/azure/credential.ts';
import { openRegistryTasks } from '../../src/azure/registryTasks.ts';
import type { ServiceConnection } from '../../src/host/host.ts';
import type { RegistryTasks } from '../../src/image/acr/tasks.ts';
import { createRegistryClient, type RegistryClient } from '../../src/oci/client.ts';
import type { Recorded } from './host.ts';
import { azureServiceConnection, jobHost, networkOf } from './identity.ts';
import { services } from './services.ts';

/** An Azure container registry with its Tasks, and a pipeline that is signed in to it. */
export interface TasksBench {
  readonly local: LocalIdentity;
  readonly acr: LocalAcr;
  readonly arm: LocalArm;
  readonly settings: TasksSettings;
  readonly connection: ServiceConnection;
  /** What the job was told, secrets above all. */
  readonly said: Recorded;
  clientOf(repository: string, signal?: AbortSignal): RegistryClient;
  /** Of the bench's registry, or another one's login server. */
  tasksOf(signal?: AbortSignal, registryUrl?: string): RegistryTasks;
  close(): Promise<void>;
}

const subscriptionId = '00000000-0000-4000-8000-0000000000aa';
const never = new AbortController().signal;

function registered(settings: TasksSettings, byRepository: boolean) {
  return { subscriptionId, resourceGroup: 'models', name: 'myteam', byRepository, settings };
}

/** Starts all of it; builds run on the tests' Docker engine, contexts and logs lie in the tests' Azurite. */
export async function startTasksBench(byRepository = false): Promise<TasksBench> {
  const { storage, docker } = await services('storage', 'docker');
  // Of its own: test files run side by side.
  const stateFolder = await mkdtemp(join(tmpdir(), 'model-delivery-acr-'));
  const context = {
    ...(await createContext(() => undefined)),
    ...{ stateFolder, logFolder: join(stateFolder, 'logs') },
  };
  const local = await startIdentity();
  const acr = await startAcr(context, local);
  const arm = await startArm(local);
  const settings: TasksSettings = {
    ...{ acr, storage, docker: docker.socket, contributors: [local.application.objectId] },
    ...{
      allowed: true,
      admitted: true,
      pools: ['inside'],
      secondMs: 1000,
      namesImage: true,
      signedForMs: 600_000,
    },
  };
  arm.registries = [registered(settings, byRepository)];
  const connection = azureServiceConnection(local, 'workloadIdentity', { url: arm.url });
  const dispatcher = new Agent({ connect: { ca: local.authority.certificate } });
  const network = networkOf(local);
  const { host, said } = jobHost(local);
  const azure = azureConnection(connection);
  const identity = createCredential(azure, host, network);
  const tokens = createAcrTokens({ registryUrl: acr.url, connection: azure, identity, host, network });
  return {
    ...{ local, acr, arm, settings, connection, said },
    clientOf: (repository, signal = never) =>
      createRegistryClient({
        ...{ registryUrl: acr.url, fetchToken: tokens.fetchToken, pushTo: repository, dispatcher },
        ...{ signal, userAgent: 'model-delivery-tests' },
      }),
    tasksOf: (signal = never, registryUrl = acr.url) =>
      openRegistryTasks(
        connection,
        registryUrl,
        {
          ...{ secret: host.secret, cancelled: signal, log: host.log },
          pipelineIdentity: () => host.pipelineIdentity(),
        },
        network,
      ),
    async close() {
      await dispatcher.close();
      await arm.close();
      await acr.close();
      await local.close();
      await rm(stateFolder, { recursive: true, force: true });
    },
  };
}
