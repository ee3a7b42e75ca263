import type { ServiceConnection } from '../host/host.ts';
import {
  type AzureCloud,
  isAudienceOf,
  isAuthorityOf,
  isManagerOf,
  listedClouds,
  publicCloud,
} from './clouds.ts';
import { invalidConnection } from './invalidConnection.ts';

function trimmed(url: string): string {
  return url.trim().replace(/\/+$/, '');
}

/** What a connection says of its cloud itself. */
interface Said {
  readonly manager?: string;
  readonly authority?: string;
  readonly audience?: string;
  readonly storage?: string;
}

/** The first of the connection's data fields that holds a URL. */
function urlOf({ data }: ServiceConnection, ...fields: readonly string[]): string | undefined {
  return fields.map((field) => trimmed(data[field] ?? '')).find((value) => URL.canParse(value));
}

/** Tokens travel there: never unencrypted. */
function secure(connection: ServiceConnection, url: string): string {
  if (url.toLowerCase().startsWith('https://')) return url;
  throw invalidConnection(
    connection.id,
    `names a resource manager that is not https (${url})`,
    'Correct its server URL in the project settings.',
  );
}

function isRegistry({ data }: ServiceConnection): boolean {
  return data['registrytype'] !== undefined;
}

/** An AzureRM connection's own URL is its resource manager's; a registry connection's is the registry's. */
function saidBy(connection: ServiceConnection): Said {
  const own = trimmed(connection.url);
  const manager = isRegistry(connection) || !URL.canParse(own) ? undefined : secure(connection, own);
  const authority = urlOf(connection, 'activedirectoryauthority', 'environmentauthorityurl');
  const audience = urlOf(connection, 'activedirectoryserviceendpointresourceid');
  const storage = connection.data['storageendpointsuffix']?.trim().toLowerCase() || undefined;
  return {
    ...(manager !== undefined && { manager }),
    ...(authority !== undefined && { authority: new URL(authority).origin }),
    ...(audience !== undefined && { audience }),
    ...(storage !== undefined && { storage }),
  };
}

/** Azure Stack's services are named below the domain of its resource manager: `management.<region>.<domain>`. */
function stackSuffix(resourceManagerUrl: string): string {
  return new URL(resourceManagerUrl).hostname.replace(/^(admin)?management\./, '');
}

const fromVerify =
  "Open it in the project settings and choose Verify, which reads them from the environment's resource manager (/metadata/endpoints), then save it. No token was asked for.";

/** The parts of an unlisted cloud that only the connection can tell. */
function missingOf(connection: ServiceConnection, { manager, authority, audience }: Said): readonly string[] {
  return [
    ...(manager === undefined && !isRegistry(connection) ? ['a resource manager (its URL)'] : []),
    ...(authority === undefined ? ['a sign-in service (environmentAuthorityUrl)'] : []),
    ...(audience === undefined
      ? ['an audience of its resource manager (activeDirectoryServiceEndpointResourceId)']
      : []),
  ];
}

/**
 * A cloud that the table does not have. What the public cloud's table says of sign-in must not be taken for it: a
 * token for the public resource manager would go to somebody else's.
 */
function unlisted(name: string, connection: ServiceConnection, said: Said): AzureCloud {
  const missing = missingOf(connection, said);
  const problem = `is for the environment '${name}' and`;
  if (missing.length > 0) {
    throw invalidConnection(connection.id, `${problem} does not name ${missing.join(' and ')}`, fromVerify);
  }
  const {
    manager = publicCloud.resourceManagerUrl,
    authority = publicCloud.authorityHost,
    audience = '',
  } = said;
  const owner = listedClouds.find((cloud) => isAudienceOf(cloud, audience));
  if (owner !== undefined && said.manager !== undefined && !isManagerOf(owner, said.manager)) {
    throw invalidConnection(
      connection.id,
      `${problem} would send tokens for the resource manager of ${owner.name} to ${said.manager}`,
      fromVerify,
    );
  }
  const suffix = stackSuffix(manager);
  return {
    ...publicCloud,
    name,
    authorityHost: authority,
    authorityIsKnown: listedClouds.some((cloud) => isAuthorityOf(cloud, authority)),
    resourceManagerUrl: manager,
    resourceManagerAudience: audience,
    storageSuffix: said.storage ?? suffix,
    registrySuffix: suffix,
  };
}

/** A listed cloud, which the connection may repeat and not change: its tokens are good for all of that cloud. */
function listed(cloud: AzureCloud, { id }: ServiceConnection, said: Said): AzureCloud {
  const { manager, authority, audience, storage } = said;
  const others = [
    ...(manager !== undefined && !isManagerOf(cloud, manager) ? [`the resource manager ${manager}`] : []),
    ...(authority !== undefined && !isAuthorityOf(cloud, authority)
      ? [`the sign-in service ${authority}`]
      : []),
    ...(audience !== undefined && !isAudienceOf(cloud, audience) ? [`the audience ${audience}`] : []),
    ...(storage !== undefined && storage !== cloud.storageSuffix ? [`storage below ${storage}`] : []),
  ];
  if (others.length === 0) {
    return {
      ...cloud,
      authorityHost: authority ?? cloud.authorityHost,
      resourceManagerUrl: manager ?? cloud.resourceManagerUrl,
      resourceManagerAudience: audience ?? cloud.resourceManagerAudience,
    };
  }
  throw invalidConnection(
    id,
    `is for the environment '${cloud.name}' and names ${others.join(' and ')}, which ${cloud.name} does not have`,
    "Choose the environment that it belongs to (AzureStack for a cloud of one's own), and verify the connection. No token was asked for.",
  );
}

/** A registry connection does not always say its cloud, but its login server lies in one. */
function registryCloud(connection: ServiceConnection): string | undefined {
  if (!isRegistry(connection)) return undefined;
  const server = (connection.parameters['loginserver'] ?? connection.url).replace(/\/+$/, '').toLowerCase();
  return listedClouds.find(({ registrySuffix }) => server.endsWith(`.${registrySuffix}`))?.name;
}

function managerCloud({ manager }: Said): string | undefined {
  return manager === undefined ? undefined : listedClouds.find((cloud) => isManagerOf(cloud, manager))?.name;
}

/**
 * The cloud of a service connection: the table's by its `environment`, else by its addresses. A listed cloud is as the
 * table says; an Azure Stack connection brings all of its own. Throws SERVICE_CONNECTION_INVALID where a connection
 * mixes clouds or leaves parts out.
 */
export function cloudOf(connection: ServiceConnection): AzureCloud {
  const said = saidBy(connection);
  const environment = connection.data['environment']?.trim() || undefined;
  const wanted = environment ?? registryCloud(connection) ?? managerCloud(said) ?? publicCloud.name;
  const cloud = listedClouds.find(({ name }) => name.toLowerCase() === wanted.toLowerCase());
  return cloud === undefined ? unlisted(wanted, connection, said) : listed(cloud, connection, said);
}
