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

export const publicCloud: AzureCloud = {
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
export const listedClouds: readonly AzureCloud[] = [
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

/** Older names of the clouds' sign-in services, which connections still carry. */
const authorityAliases: Readonly<Record<string, readonly string[]>> = {
  AzureCloud: ['https://login.windows.net', 'https://login.microsoft.com', 'https://sts.windows.net'],
  AzureUSGovernment: ['https://login-us.microsoftonline.com'],
  AzureChinaCloud: ['https://login.partner.microsoftonline.cn'],
};

/** Whether a URL is the sign-in service of a listed cloud, by any of its names. */
export function isAuthorityOf({ name, authorityHost }: AzureCloud, url: string): boolean {
  const { origin } = new URL(url);
  return origin === authorityHost || authorityAliases[name]?.includes(origin) === true;
}

/** Whether a URL is the resource manager of a listed cloud, or that of one of its regions. */
export function isManagerOf({ resourceManagerUrl }: AzureCloud, url: string): boolean {
  const [own, { protocol, host }] = [new URL(resourceManagerUrl), new URL(url)];
  return protocol === 'https:' && (host === own.host || host.endsWith(`.${own.host}`));
}

/** Whether tokens for this audience open the resource manager of a listed cloud. */
export function isAudienceOf(cloud: AzureCloud, audience: string): boolean {
  return [cloud.resourceManagerAudience, cloud.resourceManagerUrl].includes(audience);
}
