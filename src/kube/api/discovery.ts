import { DeliveryError } from '../../errors.ts';
import { nearest } from '../../report/nearest.ts';
import { groupOf, isRecord } from '../objects/objects.ts';
import { builtInKind } from './builtInKinds.ts';
import { ApiError } from './statusError.ts';
import type { Transport } from './transport.ts';

/** Where the objects of one kind live. */
export interface Resource {
  readonly group: string;
  /** Plural name in paths and roles, for example `deployments`. */
  readonly plural: string;
  readonly namespaced: boolean;
  /** For example `/apis/apps/v1`. */
  readonly root: string;
}

/** Finds a kind's resource; each API version is asked for once. Throws KIND_UNKNOWN. */
export type Discovery = (apiVersion: string, kind: string, signal: AbortSignal) => Promise<Resource>;

type Kinds = ReadonlyMap<string, Resource>;

function rootOf(apiVersion: string): string {
  return groupOf(apiVersion) === '' ? `/api/${apiVersion}` : `/apis/${apiVersion}`;
}

/** Versions that the cluster serves for this group, for the error message. */
async function servedVersions(transport: Transport, group: string, signal: AbortSignal): Promise<string[]> {
  const answer = await transport
    .json({ call: { verb: 'list', what: 'API groups' }, method: 'GET', path: `/apis/${group}`, signal })
    .catch(() => undefined);
  const versions = isRecord(answer) && Array.isArray(answer['versions']) ? answer['versions'] : [];
  return versions.filter(isRecord).map((version) => String(version['groupVersion']));
}

async function unknownVersion(
  transport: Transport,
  apiVersion: string,
  signal: AbortSignal,
): Promise<DeliveryError> {
  const served =
    groupOf(apiVersion) === '' ? ['v1'] : await servedVersions(transport, groupOf(apiVersion), signal);
  return new DeliveryError({
    code: 'KIND_UNKNOWN',
    side: 'input',
    message: `The cluster does not serve the API version '${apiVersion}'.`,
    remedy:
      served.length > 0
        ? `It serves ${served.join(', ')}: correct 'apiVersion' in the manifest.`
        : 'Install the custom resource definition it belongs to before this task, or correct the manifest.',
  });
}

function kindsOf(answer: unknown, apiVersion: string): Kinds {
  const resources = isRecord(answer) && Array.isArray(answer['resources']) ? answer['resources'] : [];
  const kinds = resources.filter(isRecord).flatMap((resource): [string, Resource][] => {
    const plural = String(resource['name']);
    if (plural.includes('/')) return [];
    const found = {
      group: groupOf(apiVersion),
      plural,
      namespaced: resource['namespaced'] === true,
      root: rootOf(apiVersion),
    };
    return [[String(resource['kind']), found]];
  });
  return new Map(kinds);
}

async function readKinds(transport: Transport, apiVersion: string, signal: AbortSignal): Promise<Kinds> {
  const call = { verb: 'read', what: `API version '${apiVersion}'` };
  try {
    const answer = await transport.json({ call, method: 'GET', path: rootOf(apiVersion), signal });
    return kindsOf(answer, apiVersion);
  } catch (error) {
    if (error instanceof ApiError && error.status === 404)
      throw await unknownVersion(transport, apiVersion, signal);
    throw error;
  }
}

/** Discovery over the API server's own lists, kept for the life of the client; built-in kinds are known. */
export function createDiscovery(transport: Transport): Discovery {
  const known = new Map<string, Promise<Kinds>>();
  return async (apiVersion, kind, signal) => {
    const builtIn = builtInKind(apiVersion, kind);
    if (builtIn !== undefined) return builtIn;
    const kinds = known.get(apiVersion) ?? readKinds(transport, apiVersion, signal);
    known.set(apiVersion, kinds);
    const resource = (await kinds).get(kind);
    if (resource !== undefined) return resource;
    throw new DeliveryError({
      code: 'KIND_UNKNOWN',
      side: 'input',
      message: `The cluster's API version '${apiVersion}' has no kind '${kind}'.`,
      remedy: `Nearest kinds: ${nearest(kind, [...(await kinds).keys()], 3).join(', ')}.`,
    });
  };
}
