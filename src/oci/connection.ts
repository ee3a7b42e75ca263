import { DeliveryError } from '../errors.ts';
import type { ServiceConnection } from '../host/host.ts';
import type { Credentials, FetchToken } from './auth.ts';

/** A registry to work with: where its API is, and who asks. */
export interface RegistryAccess {
  /** With scheme; https unless the connection says http. */
  readonly registryUrl: string;
  readonly credentials?: Credentials;
  /** Gets tokens by an identity instead of credentials. */
  readonly fetchToken?: FetchToken;
  /** Registers the tokens that the credentials bring for masking. */
  readonly secret?: (value: string) => void;
  /** Gets, by an identity, a user name and password for engines that sign in by themselves; they live for hours. */
  readonly fetchCredentials?: () => Promise<Credentials>;
}

function invalid(connection: ServiceConnection, problem: string, remedy: string): DeliveryError {
  return new DeliveryError({
    code: 'REGISTRY_CONNECTION_INVALID',
    side: 'input',
    message: `Service connection '${connection.id}' ${problem}.`,
    remedy,
  });
}

/** `https://index.docker.io/v1/` is how Azure DevOps writes Docker Hub; its API is elsewhere. */
function apiUrl(connection: ServiceConnection): string {
  const written = (connection.parameters['registry'] ?? connection.url).trim();
  const withScheme = /^https?:\/\//i.test(written) ? written : `https://${written}`;
  if (written === '' || !URL.canParse(withScheme)) {
    throw invalid(
      connection,
      `names no registry that can be used ('${written}')`,
      "Write the registry's address in the connection, for example https://myteam.azurecr.io.",
    );
  }
  const url = new URL(withScheme);
  const isHub = ['docker.io', 'index.docker.io', 'hub.docker.com'].includes(url.hostname);
  return isHub ? 'https://registry-1.docker.io' : url.origin;
}

/**
 * The registry behind a Docker registry service connection. Throws REGISTRY_CONNECTION_INVALID or
 * REGISTRY_CONNECTION_UNSUPPORTED.
 * https://learn.microsoft.com/azure/devops/pipelines/library/service-endpoints#docker-registry-service-connection
 */
export function registryAccess(connection: ServiceConnection): RegistryAccess {
  if (connection.scheme !== 'UsernamePassword') {
    const type = connection.data['registrytype'] ?? 'Others';
    throw new DeliveryError({
      code: 'REGISTRY_CONNECTION_UNSUPPORTED',
      side: 'identity',
      message: `Service connection '${connection.id}' signs in by '${connection.scheme}' (type ${type}), which is not known for this type.`,
      remedy:
        "Use a Docker registry service connection of type 'Azure Container Registry', or one of type 'Others' with user name and password.",
    });
  }
  const { username, password } = connection.parameters;
  if (username === undefined || username === '' || password === undefined) {
    throw invalid(connection, 'has no user name or password', 'Complete it in the project settings.');
  }
  return { registryUrl: apiUrl(connection), credentials: { username, password } };
}
