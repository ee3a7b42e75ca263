import { randomBytes } from 'node:crypto';
import { startAcr } from '../../local/azure/acr.ts';
import { startArm } from '../../local/azure/arm.ts';
import { startOauthStorage } from '../../local/azure/storage.ts';
import { clusterTenant, serverOf } from '../../local/cluster/entra.ts';
import { audiences, type LocalIdentity, startIdentity } from '../../local/identity/index.ts';
import type { LocalContext } from '../../local/lib/context.ts';
import { type InspectingProxy, startInspectingProxy } from '../../local/proxy/index.ts';
import { privateKeyOf } from './secretScan.ts';
import { testContext } from './services.ts';
import { hosts, publishBlobs, pushBase, startPackageIndex } from './sovereign.ts';

const entraKubeconfig = (authority: string): string =>
  JSON.stringify({
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [
      {
        name: 'prod',
        cluster: {
          server: `https://${hosts.cluster}`,
          'certificate-authority-data': Buffer.from(authority).toString('base64'),
        },
      },
    ],
    users: [
      {
        name: 'user',
        user: {
          exec: {
            apiVersion: 'client.authentication.k8s.io/v1beta1',
            command: 'kubelogin',
            args: ['get-token', '--server-id', audiences.aks, '--login', 'devicecode'],
          },
        },
      },
    ],
    contexts: [{ name: 'prod', context: { cluster: 'prod', user: 'user' } }],
    'current-context': 'prod',
  });

/** A sovereign cloud of doubles and real servers, at names that only its proxy knows. */
export interface Cloud {
  readonly local: LocalIdentity;
  readonly proxy: InspectingProxy;
  /** The proxy's user. */
  readonly proxyUser: { readonly username: string; readonly password: string };
  /** What the package index was asked for. */
  readonly packages: readonly string[];
  /** Every token that any of its services gave, every assertion that was shown to one, and what lets in by itself. */
  secrets(): readonly string[];
  close(): Promise<void>;
}

type Kept = <T extends { close(): Promise<void> }>(started: T) => T;

async function startServers(context: LocalContext, cluster: string, kept: Kept) {
  const local = kept(await startIdentity(await clusterTenant(await testContext())));
  const storage = kept(await startOauthStorage(context, local));
  const acr = kept(await startAcr(context, local, `https://${hosts.registry}`));
  const arm = kept(await startArm(local));
  const index = kept(await startPackageIndex(local));
  const entra = entraKubeconfig(local.authority.certificate);
  const principals = [local.application, local.userAssigned].map(({ objectId }) => objectId);
  arm.clusters = [
    {
      ...{ subscriptionId: '00000000-0000-4000-8000-0000000000aa', resourceGroup: 'models', name: 'prod' },
      ...{ userKubeconfig: entra, adminKubeconfig: entra, localAccountsDisabled: true },
      ...{ users: principals, admins: [] },
    },
  ];
  acr.settings.grants = principals.map((objectId) => ({
    ...{ objectId, repository: '*' },
    actions: ['pull', 'push', 'delete'] as const,
  }));
  await publishBlobs(storage, local);
  await pushBase(acr, local);
  const ways: Record<keyof typeof hosts, string> = {
    login: local.entra.url,
    devops: local.devops.url,
    storage: new URL(storage.blobEndpoint).origin,
    registry: acr.url,
    manager: arm.url,
    cluster,
    packages: index.url,
  };
  return { local, acr, ways, index };
}

/** Starts it around the tests' cluster, whose administrator's kubeconfig is given: who signs in there has no right yet. */
export async function startCloud(context: LocalContext, kubeconfig: string): Promise<Cloud> {
  const closing: (() => Promise<void>)[] = [];
  const kept: Kept = (started) => {
    closing.unshift(() => started.close());
    return started;
  };
  const close = async (): Promise<void> => {
    for (const one of closing) await one();
  };
  try {
    const server = serverOf(kubeconfig);
    const { local, acr, ways, index } = await startServers(context, server.url, kept);
    const proxyUser = { username: 'agent', password: `p@ss/${randomBytes(9).toString('hex')}` };
    const proxy = kept(
      await startInspectingProxy({
        ...proxyUser,
        hosts: new Map(Object.entries(ways).map(([key, home]) => [hosts[key as keyof typeof hosts], home])),
        upstreamAuthorities: [local.authority.certificate, server.authority],
      }),
    );
    const { secret, pem } = local.application;
    const secrets = () => [
      ...[...local.entra.issued(), ...local.entra.presented(), ...local.devops.issued(), ...acr.issued()],
      ...[local.devops.accessToken, proxyUser.password, secret, privateKeyOf(pem)],
    ];
    return { local, proxy, proxyUser, packages: index.requests, secrets, close };
  } catch (error) {
    await close();
    throw error;
  }
}
