import { DeliveryError } from '../errors.ts';
import { nearest } from '../report/nearest.ts';
import { type Arm, ArmRefusal, armFields, armFollow } from './arm.ts';
import { fieldsOf } from './http.ts';

/** A registry as the resource manager knows it. */
export interface FoundRegistry {
  /** Its path, from `/subscriptions/` on. */
  readonly id: string;
  /** Permissions are by repository (ABAC): its Tasks then have none of their own. */
  readonly byRepository: boolean;
}

/** The first one says how permissions are given; not every cloud serves it yet. */
const listVersions = ['2025-11-01', '2023-07-01'] as const;
const mostPages = 50;

interface Listed extends FoundRegistry {
  readonly loginServer: string;
}

function listedOf(value: unknown): readonly Listed[] {
  if (typeof value !== 'object' || value === null) return [];
  const { id, properties } = value as { readonly id?: unknown; readonly properties?: unknown };
  if (typeof id !== 'string' || typeof properties !== 'object' || properties === null) return [];
  const { loginServer, roleAssignmentMode } = properties as Record<string, unknown>;
  if (typeof loginServer !== 'string') return [];
  return [{ id, loginServer, byRepository: roleAssignmentMode === 'AbacRepositoryPermissions' }];
}

async function listed(arm: Arm, subscriptionId: string, apiVersion: string): Promise<readonly Listed[]> {
  const path = `/subscriptions/${encodeURIComponent(subscriptionId)}/providers/Microsoft.ContainerRegistry/registries`;
  const found: Listed[] = [];
  let page = await armFields(arm, { method: 'GET', path, apiVersion });
  for (let count = 0; count < mostPages; count += 1) {
    const values = page['value'];
    if (Array.isArray(values)) found.push(...values.flatMap(listedOf));
    const next = page['nextLink'];
    if (typeof next !== 'string' || next === '') return found;
    page = fieldsOf(await armFollow(arm, next));
  }
  return found;
}

function isUnknownVersion(error: unknown): boolean {
  return error instanceof ArmRefusal && /NoRegisteredProviderFound|InvalidApiVersion/i.test(error.code);
}

async function listedByAnyVersion(arm: Arm, subscriptionId: string): Promise<readonly Listed[]> {
  const [newest, oldest] = listVersions;
  try {
    return await listed(arm, subscriptionId, newest);
  } catch (error) {
    if (isUnknownVersion(error)) return await listed(arm, subscriptionId, oldest);
    throw error;
  }
}

/**
 * The registry with this login server, among those that the identity may see in the subscription. Throws
 * ACR_REGISTRY_NOT_FOUND with near matches, ArmRefusal, ARM_… and IDENTITY_… errors.
 * https://learn.microsoft.com/rest/api/container-registry/registries/list
 */
export async function findRegistry(
  arm: Arm,
  subscriptionId: string,
  loginServer: string,
): Promise<FoundRegistry> {
  const all = await listedByAnyVersion(arm, subscriptionId);
  const found = all.find((one) => one.loginServer.toLowerCase() === loginServer.toLowerCase());
  if (found !== undefined) return found;
  const near = nearest(
    loginServer,
    all.map((one) => one.loginServer),
  );
  throw new DeliveryError({
    code: 'ACR_REGISTRY_NOT_FOUND',
    side: 'input',
    message: `Subscription '${subscriptionId}' has no registry '${loginServer}' that the identity may see.`,
    remedy: `${near.length === 0 ? '' : `It sees ${near.join(', ')}. `}Correct 'registry' or the service connection's subscription, or grant the role 'Container Registry Tasks Contributor' on the registry.`,
  });
}
