import { DeliveryError } from '../errors.ts';
import type { Host, ServiceConnection } from '../host/host.ts';
import { type RegistryAccess, registryAccess } from '../oci/connection.ts';
import { createAcrTokens, refreshTokenUser } from './acr.ts';
import { type AzureConnection, azureConnection } from './connection.ts';
import { identityOf } from './credential.ts';

/** The login server as its API's address; people write it with and without scheme. */
function loginServerUrl(given: string, { id }: ServiceConnection): string {
  const written = given.trim();
  const url = /^https?:\/\//i.test(written) ? written : `https://${written}`;
  if (written !== '' && URL.canParse(url)) return new URL(url).origin;
  throw new DeliveryError({
    code: 'REGISTRY_CONNECTION_INVALID',
    side: 'input',
    message: `Service connection '${id}' names no registry that can be used ('${written}').`,
    remedy: "Write the registry's login server, for example myteam.azurecr.io.",
  });
}

/** A token of the identity goes to the host that is entered, and opens more than this one registry. */
function checkIsOfCloud(registryUrl: string, { id, cloud }: AzureConnection): void {
  const { protocol, hostname } = new URL(registryUrl);
  const suffix = cloud.registrySuffix;
  if (protocol === 'https:' && (hostname === suffix || hostname.endsWith(`.${suffix}`))) return;
  throw new DeliveryError({
    code: 'REGISTRY_OUTSIDE_CLOUD',
    side: 'input',
    message: `${registryUrl} is no registry of the cloud ${cloud.name} (https, below ${suffix}), so no token of the Azure service connection '${id}' is sent to it.`,
    remedy:
      "Correct the registry's name, or enter it by a Docker registry service connection ('containerRegistry').",
  });
}

/**
 * The container registry of this login server, entered by an AzureRM connection. The name comes from inputs and lock
 * files, so it must lie in the connection's cloud: else it throws REGISTRY_OUTSIDE_CLOUD. Throws SERVICE_CONNECTION_… and
 * REGISTRY_CONNECTION_INVALID too.
 */
export function namedAzureRegistry(
  connection: ServiceConnection,
  registry: string,
  host: Host,
): RegistryAccess {
  const registryUrl = loginServerUrl(registry, connection);
  const azure = azureConnection(connection);
  checkIsOfCloud(registryUrl, azure);
  return entered(registryUrl, azure, host);
}

/** A registry entered by the identity of a service connection; nothing is asked before the registry demands it. */
function entered(registryUrl: string, azure: AzureConnection, host: Host): RegistryAccess {
  const identity = identityOf(azure, host);
  const { fetchToken, refreshToken } = host.once(`tokens of ${registryUrl} by ${azure.id}`, () =>
    createAcrTokens({ registryUrl, connection: azure, identity, host }),
  );
  const fetchCredentials = async () => ({ username: refreshTokenUser, password: await refreshToken() });
  return { registryUrl, fetchToken, fetchCredentials };
}

/** A registry as inputs name it: a Docker registry connection, or a login server and an AzureRM connection for it. */
export interface RegistryChoice {
  /** A service connection's id. */
  readonly connection: string;
  readonly loginServer?: string;
}

/** The choice of inputs `containerRegistry`, `azureSubscription` and `registry`; undefined where all are empty. Throws INPUT_INVALID. */
export function registryChoice(inputs: {
  readonly containerRegistry: string | undefined;
  readonly azureSubscription: string | undefined;
  readonly registry: string | undefined;
}): RegistryChoice | undefined {
  const { containerRegistry, azureSubscription, registry } = inputs;
  if (registry === undefined) {
    return containerRegistry === undefined ? undefined : { connection: containerRegistry };
  }
  if (containerRegistry === undefined && azureSubscription !== undefined) {
    return { connection: azureSubscription, loginServer: registry };
  }
  throw new DeliveryError({
    code: 'INPUT_INVALID',
    side: 'input',
    message:
      containerRegistry === undefined
        ? "Input 'registry' is set without 'azureSubscription'."
        : "Inputs 'containerRegistry' and 'registry' both name a registry.",
    remedy: "Set 'containerRegistry' alone, or 'azureSubscription' and 'registry'.",
  });
}

/** The chosen registry. Throws what {@link openRegistry} and {@link namedAzureRegistry} throw. */
export function chosenRegistry(choice: RegistryChoice, host: Host): RegistryAccess {
  const connection = host.connection(choice.connection);
  return choice.loginServer === undefined
    ? openRegistry(connection, host)
    : namedAzureRegistry(connection, choice.loginServer, host);
}

/**
 * The registry behind a Docker registry service connection of any type; type ACR signs in to Azure, the others by
 * user and password. Throws REGISTRY_CONNECTION_… or SERVICE_CONNECTION_… errors.
 */
export function openRegistry(connection: ServiceConnection, host: Host): RegistryAccess {
  const isAzure = connection.data['registrytype']?.toUpperCase() === 'ACR';
  if (!isAzure || connection.scheme === 'UsernamePassword') {
    const access = registryAccess(connection);
    const { username = '', password = '' } = access.credentials ?? {};
    host.secret(password);
    // As an Authorization header, a configuration file and a pull secret carry it.
    host.secret(Buffer.from(`${username}:${password}`).toString('base64'));
    return { ...access, secret: (value) => host.secret(value) };
  }
  const registryUrl = loginServerUrl(connection.parameters['loginserver'] ?? connection.url, connection);
  return entered(registryUrl, azureConnection(connection), host);
}
