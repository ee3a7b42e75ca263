import type { Host, ServiceConnection } from '../host/host.ts';
import { required } from '../host/inputs.ts';
import type { ClusterAccess } from '../kube/api/access.ts';
import type { RunCommand } from '../kube/command/run.ts';
import { aksAccess } from './aks.ts';
import type { AksTarget } from './aksTarget.ts';
import type { Arm } from './arm.ts';
import { azureConnection } from './connection.ts';
import { identityOf } from './credential.ts';
import { createSend } from './http.ts';
import { readCluster } from './managedCluster.ts';
import { createRunCommand } from './runCommand.ts';
import type { Network } from './signIn.ts';

/** A cluster by its names in Azure; the subscription is the service connection's. */
export type ClusterName = Omit<AksTarget, 'subscriptionId'>;

/** A cluster that is worked on by commands within it. */
export interface ClusterCommands {
  readonly run: RunCommand;
  /** Of Kubernetes, for example `v1.33.2`. */
  readonly version: string;
}

/** The ways into one cluster by one service connection. */
export interface ClusterDoor {
  /** Throws what {@link aksAccess} throws. */
  access(): Promise<ClusterAccess>;
  /** Whether its API server has an address in its own network only. Throws AKS_… and ARM_… errors. */
  isPrivate(): Promise<boolean>;
  /** Throws AKS_… and ARM_… errors. */
  commands(): Promise<ClusterCommands>;
}

/** The cluster behind an AzureRM service connection; nothing is asked yet. Throws INPUT_MISSING and SERVICE_CONNECTION_… errors. */
export function openCluster(
  connection: ServiceConnection,
  name: ClusterName,
  host: Host,
  network: Network = {},
): ClusterDoor {
  const azure = azureConnection(connection);
  const subscriptionId = required(
    azure.subscriptionId,
    'azureSubscription',
    'with a service connection for one subscription, not for a management group',
  );
  const arm: Arm = {
    cloud: azure.cloud,
    identity: identityOf(azure, host, network),
    send: createSend(network, host.log),
    signal: host.cancelled,
  };
  const target = { ...name, subscriptionId };
  const secret = (value: string): void => host.secret(value);
  return {
    access: () => aksAccess(arm, target, secret),
    isPrivate: async () => (await readCluster(arm, target)).isPrivate,
    commands: async () => {
      const facts = await readCluster(arm, target);
      return { run: createRunCommand(arm, target, facts, secret), version: facts.version };
    },
  };
}
