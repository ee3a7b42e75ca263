import type { ClusterCommands, ClusterDoor } from '../../azure/cluster.ts';
import { within } from '../../deadline.ts';
import { DeliveryError } from '../../errors.ts';
import type { Host } from '../../host/host.ts';
import type { ClusterAccess } from '../api/access.ts';
import { unreachable } from '../api/networkError.ts';
import { createWire } from '../api/wire.ts';
import { type AksChoice, type ConnectionChoice, connect } from './connect.ts';

/** How the cluster is worked on: by requests to its API server, or by commands within it. */
export type Way =
  | { readonly kind: 'direct'; readonly access: ClusterAccess }
  | { readonly kind: 'commands'; readonly commands: ClusterCommands };

const answerMs = 10_000;

/** The error of an API server that this agent does not reach; undefined for any answer, a refusal too. */
async function unreached(access: ClusterAccess, signal: AbortSignal): Promise<DeliveryError | undefined> {
  const wire = createWire(access);
  try {
    const limit = within(answerMs, signal);
    const request = { method: 'GET', path: '/version', silenceMs: answerMs, signal: limit };
    await (await wire.request(request)).body.dump();
    return undefined;
  } catch (error) {
    signal.throwIfAborted();
    if (error instanceof DeliveryError) throw error;
    const failure = unreachable(access, error);
    return failure.code === 'CLUSTER_UNREACHABLE' ? failure : undefined;
  } finally {
    await wire.close();
  }
}

/** The way into an AKS cluster: commands where they are asked for, or where nothing else leads in. */
export async function aksWay(choice: Pick<AksChoice, 'way'>, door: ClusterDoor, host: Host): Promise<Way> {
  if (choice.way === 'runCommand') return { kind: 'commands', commands: await door.commands() };
  const access = await door.access();
  if (choice.way === 'direct') return { kind: 'direct', access };
  const failure = await unreached(access, host.cancelled);
  if (failure === undefined) return { kind: 'direct', access };
  if (!(await door.isPrivate())) throw failure;
  host.log.info(
    `The private API server '${new URL(access.server).host}' cannot be reached from this agent: the release runs by commands within the cluster.`,
  );
  return { kind: 'commands', commands: await door.commands() };
}

/** The way into the chosen cluster. Throws KUBECONFIG_…, SERVICE_CONNECTION_…, AKS_…, ARM_… and IDENTITY_… errors. */
export async function findWay(choice: ConnectionChoice, host: Host): Promise<Way> {
  if (choice.type !== 'azureResourceManager') return { kind: 'direct', access: await connect(choice, host) };
  const { openCluster } = await import('../../azure/cluster.ts');
  return aksWay(choice, openCluster(host.connection(choice.id), choice.name, host), host);
}
