import type { ServiceConnection } from '../host/host.ts';
import { invalidConnection } from './invalidConnection.ts';

/** Where one Azure cloud signs in, is managed, and keeps its services; URLs without trailing slash. */
export interface AzureCloud {
  /** As service connections name it, for example `AzureCloud`. */
  readonly name: string;
  /** Scheme and host of the sign-in service. */
  readonly authorityHost: string;
  /** False where only the connection vouches for the sign-in service, as in Azure Stack. */
  readonly authorityIsKnown: boolean;
  readonly resourceManagerUrl: string;
  /** Audience of tokens for the resource manager. */
  readonly resourceManagerAudience: string;
  /** Last labels of a storage account's host, for example `core.windows.net`. */
  readonly storageSuffix: string;
  readonly storageAudience: string;
  /** Last labels of a registry's login server; of an Azure Stack its whole domain. */
  readonly registrySuffix: string;
  readonly registryAudience: string;
  /** Application id of the AKS server: the audience of tokens for clusters that sign in by Entra. */
  readonly aksAudience: string;
}

/** The same in every cloud. https://learn.microsoft.com/azure/aks/kubelogin-authentication (server id) */
const everywhere = {
  storageAudience: 'https://storage.azure.com',
  registryAudience: 'https://containerregistry.azure.net',
  aksAudience: '6dae42f8-4368-4678-94ff-3960e28e3630',
} as const;

const publicCloud: AzureCloud = {
  name: 'AzureCloud',
  authorityHost: 'https://login.microsoftonline.com',
  authorityIsKnown: true,
  resourceManagerUrl: 'https://management.azure.com',
  resourceManagerAudience: 'https://management.core.windows.net',
  storageSuffix: 'core.windows.net',
  registrySuffix: 'azurecr.io',
  ...everywhere,
};

/** The clouds that Microsoft and 21Vianet run. https://learn.microsoft.com/azure/azure-government/compare-azure-government-global-azure */
const clouds: readonly AzureCloud[] = [
  publicCloud,
  {
    name: 'AzureUSGovernment',
    authorityHost: 'https://login.microsoftonline.us',
    authorityIsKnown: true,
    resourceManagerUrl: 'https://management.usgovcloudapi.net',
    resourceManagerAudience: 'https://management.core.usgovcloudapi.net',
    storageSuffix: 'core.usgovcloudapi.net',
    registrySuffix: 'azurecr.us',
    ...everywhere,
  },
  {
    name: 'AzureChinaCloud',
    authorityHost: 'https://login.chinacloudapi.cn',
    authorityIsKnown: true,
    resourceManagerUrl: 'https://management.chinacloudapi.cn',
    resourceManagerAudience: 'https://management.core.chinacloudapi.cn',
    storageSuffix: 'core.chinacloudapi.cn',
    registrySuffix: 'azurecr.cn',
    ...everywhere,
  },
];

/** Older names of the same sign-in services, which connections still carry. */
const authorityAliases: ReadonlySet<string> = new Set([
  'https://login.windows.net',
  'https://login.microsoft.com',
  'https://sts.windows.net',
  'https://login.partner.microsoftonline.cn',
]);

function trimmed(url: string): string {
  return url.trim().replace(/\/+$/, '');
}

/** The first of the connection's data fields that holds a URL. */
function urlOf(connection: ServiceConnection, ...fields: readonly string[]): string | undefined {
  return fields.map((field) => trimmed(connection.data[field] ?? '')).find((value) => URL.canParse(value));
}

function isKnownAuthority(origin: string): boolean {
  return authorityAliases.has(origin) || clouds.some(({ authorityHost }) => authorityHost === origin);
}

/** Azure Stack's services are named below the domain of its resource manager: `management.<region>.<domain>`. */
function stackSuffix(resourceManagerUrl: string): string {
  return new URL(resourceManagerUrl).hostname.replace(/^(admin)?management\./, '');
}

/** An AzureRM connection's own URL is its resource manager's; a registry connection's is the registry's. */
function ownResourceManager(connection: ServiceConnection): string | undefined {
  const isRegistry = connection.data['registrytype'] !== undefined;
  return isRegistry || !URL.canParse(connection.url) ? undefined : trimmed(connection.url);
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

/** The fields of a connection that say where its cloud signs in, and for which audience. */
const authorityFields = ['activedirectoryauthority', 'environmentauthorityurl'] as const;
const audienceField = 'activedirectoryserviceendpointresourceid';

/**
 * A cloud that the table does not have. What the public cloud's table says of sign-in must not be taken for it: a
 * token for the public resource manager would go to somebody else's.
 */
function unlisted(name: string, connection: ServiceConnection): AzureCloud {
  const missing = [
    ...(urlOf(connection, ...authorityFields) === undefined
      ? ['a sign-in service (environmentAuthorityUrl)']
      : []),
    ...(urlOf(connection, audienceField) === undefined
      ? ['an audience of its resource manager (activeDirectoryServiceEndpointResourceId)']
      : []),
  ];
  if (missing.length === 0) return { ...publicCloud, name };
  throw invalidConnection(
    connection.id,
    `is for the environment '${name}' and does not name ${missing.join(' and ')}`,
    "Open it in the project settings and choose Verify, which reads both from the environment's resource manager (/metadata/endpoints), then save it. No token was asked for.",
  );
}

/** A registry connection does not always say its cloud, but its login server lies in one. */
function registryCloud(connection: ServiceConnection): string | undefined {
  if (connection.data['registrytype'] === undefined) return undefined;
  const server = (connection.parameters['loginserver'] ?? connection.url).replace(/\/+$/, '').toLowerCase();
  return clouds.find(({ registrySuffix }) => server.endsWith(`.${registrySuffix}`))?.name;
}

/**
 * The cloud of a service connection: what the connection says itself, then the table by its `environment`.
 * An Azure Stack connection brings its own URLs. Throws SERVICE_CONNECTION_INVALID where it does not.
 */
export function cloudOf(connection: ServiceConnection): AzureCloud {
  const wanted = connection.data['environment'] ?? registryCloud(connection) ?? publicCloud.name;
  const listed = clouds.find(({ name }) => name.toLowerCase() === wanted.toLowerCase());
  const base = listed ?? unlisted(wanted, connection);
  const resourceManagerUrl = secure(connection, ownResourceManager(connection) ?? base.resourceManagerUrl);
  const authority = urlOf(connection, ...authorityFields);
  const authorityHost = authority === undefined ? base.authorityHost : new URL(authority).origin;
  const suffix = listed === undefined ? stackSuffix(resourceManagerUrl) : base.storageSuffix;
  return {
    ...base,
    authorityHost,
    authorityIsKnown: isKnownAuthority(authorityHost),
    resourceManagerUrl,
    resourceManagerAudience: urlOf(connection, audienceField) ?? base.resourceManagerAudience,
    storageSuffix: connection.data['storageendpointsuffix'] ?? suffix,
    registrySuffix: listed === undefined ? suffix : base.registrySuffix,
  };
}
