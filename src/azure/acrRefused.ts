import { DeliveryError } from '../errors.ts';
import type { AzureConnection } from './connection.ts';
import { type AzureAnswer, fieldsOf } from './http.ts';

/** The right that is missing, by the names of Azure's roles. https://learn.microsoft.com/azure/container-registry/container-registry-rbac-built-in-roles-overview */
export function roleMissing(
  registryUrl: string,
  repository: string,
  lacking: readonly string[],
  cause?: unknown,
): DeliveryError {
  const pushes = lacking.some((action) => action !== 'pull');
  const role = pushes ? 'AcrPush' : 'AcrPull';
  const abacRole = `Container Registry Repository ${pushes ? 'Writer' : 'Reader'}`;
  return new DeliveryError({
    code: 'REGISTRY_ROLE_MISSING',
    side: 'identity',
    message: `The identity may not ${pushes ? 'push to' : 'pull from'} repository '${repository}' of ${registryUrl}.`,
    remedy: `Grant it the role '${role}' on the registry (az role assignment create), or '${abacRole}' where the registry's permissions are by repository (ABAC); it takes effect within minutes.`,
    cause,
  });
}

/** The names of all repositories are a right of their own where permissions are by repository. */
export function catalogForbidden(registryUrl: string, cause?: unknown): DeliveryError {
  return new DeliveryError({
    code: 'REGISTRY_ROLE_MISSING',
    side: 'identity',
    message: `The identity may not list the repositories of ${registryUrl}.`,
    remedy:
      "Grant it 'Container Registry Repository Catalog Lister' on the registry where its permissions are by repository (ABAC), whose other roles do not include it; elsewhere 'AcrPull' does.",
    cause,
  });
}

function complaint(answer: AzureAnswer): Error {
  const { errors, error_description: description } = fieldsOf(answer);
  const first: unknown = Array.isArray(errors) ? errors[0] : undefined;
  const message =
    typeof first === 'object' && first !== null && 'message' in first ? first.message : description;
  return new Error(
    `${typeof message === 'string' ? message : 'no reason was given'} (HTTP ${answer.status}, ${answer.correlation})`,
  );
}

/** Why the registry gave no token; `scope` is empty where the sign-in itself was refused. */
export function acrRefused(
  answer: AzureAnswer,
  registryUrl: string,
  connection: AzureConnection,
  scope: string,
): DeliveryError {
  const cause = complaint(answer);
  const [, repository, actions] = /^repository:([^:]+):(\S+)/.exec(scope) ?? [];
  const forbidden = answer.status === 401 || answer.status === 403;
  if (/ip.*not allowed|firewall|denied access/i.test(cause.message)) {
    return new DeliveryError({
      code: 'REGISTRY_FIREWALL',
      side: 'registry',
      message: `The registry ${registryUrl} does not admit this agent's network.`,
      remedy:
        "Add the agent's address to the registry's network rules, or run on an agent that reaches its private endpoint.",
      cause,
    });
  }
  if (forbidden && scope.startsWith('registry:catalog:')) return catalogForbidden(registryUrl, cause);
  if (forbidden && repository !== undefined) {
    return roleMissing(registryUrl, repository, (actions ?? 'pull').split(','), cause);
  }
  const notFound = answer.status === 404;
  return new DeliveryError({
    code: notFound ? 'REGISTRY_NOT_AZURE' : 'REGISTRY_SIGN_IN_REFUSED',
    side: notFound ? 'registry' : 'identity',
    message: notFound
      ? `${registryUrl} does not exchange Azure's tokens: it is no Azure container registry.`
      : `The registry ${registryUrl} did not accept the sign-in of service connection '${connection.id}'.`,
    remedy: notFound
      ? "Write the registry's login server (for example myteam.azurecr.io), or use a Docker registry connection with user and password."
      : "Check that the registry is in the tenant of the service connection, and grant the identity 'AcrPull' (to read) or 'AcrPush' (to write) on it.",
    cause,
  });
}
