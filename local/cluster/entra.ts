import { randomUUID } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { exportJWK, generateKeyPair, type JWK } from 'jose';
import { parse } from 'yaml';
import type { LocalContext } from '../lib/context.ts';
import { clusterLayout } from './layout.ts';

/** Where the node's API server finds the sign-in service's documents (local/cluster/issuer.mjs). */
export const issuerPort = 6444;
const issuerUrl = `https://127.0.0.1:${issuerPort}`;

/** The tenant whose tokens a cluster's API server accepts. Sign-in services of tests sign for it. */
export interface ClusterTenant {
  readonly id: string;
  /** The private RSA key, a JWK with its key id. */
  readonly key: JWK;
}

/** Application id of AKS's server in every tenant: the audience of tokens for clusters. */
const aksServer = '6dae42f8-4368-4678-94ff-3960e28e3630';

/** Issuer of the tenant's version 1 tokens. */
export function issuerOf(tenantId: string): string {
  return `https://sts.windows.net/${tenantId}/`;
}

async function newTenant(): Promise<ClusterTenant> {
  const { privateKey } = await generateKeyPair('RS256', { extractable: true });
  return { id: randomUUID(), key: { ...(await exportJWK(privateKey)), kid: randomUUID() } };
}

function tenantFile(folder: string): string {
  return join(folder, 'entra', 'tenant.json');
}

async function readTenant(folder: string): Promise<ClusterTenant | undefined> {
  const text = await readFile(tenantFile(folder), 'utf8').catch(() => undefined);
  return text === undefined ? undefined : (JSON.parse(text) as ClusterTenant);
}

/** The tenant of the running cluster. Throws for a cluster that was not built here: its API server trusts none. */
export async function clusterTenant(context: LocalContext): Promise<ClusterTenant> {
  const tenant = await readTenant(clusterLayout(context).folder);
  if (tenant !== undefined) return tenant;
  throw new Error(
    "Only a cluster that is built here (Linux, as root) accepts the local sign-in service's tokens.",
  );
}

/**
 * Signs in whom Entra signs in: the user name is the person's, or the object id of an application; groups are object
 * ids. https://kubernetes.io/docs/reference/access-authn-authz/authentication/#using-authentication-configuration
 */
function authentication(tenantId: string, certificateAuthority: string): unknown {
  return {
    apiVersion: 'apiserver.config.k8s.io/v1',
    kind: 'AuthenticationConfiguration',
    jwt: [
      {
        issuer: {
          url: issuerOf(tenantId),
          discoveryURL: `${issuerUrl}/openid-configuration`,
          certificateAuthority,
          audiences: [aksServer],
        },
        claimMappings: {
          username: { expression: 'has(claims.upn) ? claims.upn : claims.oid' },
          groups: { expression: 'claims.?groups.orValue([])' },
        },
      },
    ],
  };
}

/** Files below the cluster's folder: the tenant, what is published of it, and what the API server is told. */
export async function entraFiles(folder: string): Promise<Readonly<Record<string, string>>> {
  const tenant = (await readTenant(folder)) ?? (await newTenant());
  const { kty, n, e, kid } = tenant.key;
  const authority = await readFile(join(folder, 'keys', 'ca.crt'), 'utf8');
  const documents = {
    tenant,
    keys: { keys: [{ kty, n, e, kid, use: 'sig', alg: 'RS256' }] },
    'openid-configuration': {
      issuer: issuerOf(tenant.id),
      jwks_uri: `${issuerUrl}/keys`,
      id_token_signing_alg_values_supported: ['RS256'],
    },
    authentication: authentication(tenant.id, authority),
  };
  return Object.fromEntries(
    Object.entries(documents).map(([name, value]) => [join('entra', `${name}.json`), JSON.stringify(value)]),
  );
}

interface Kubeconfig {
  readonly clusters: readonly { readonly cluster: Readonly<Record<string, string>> }[];
}

/** Where an API server answers and by which authority, read of the administrator's kubeconfig. */
export function serverOf(kubeconfig: string): { readonly url: string; readonly authority: string } {
  const cluster = (parse(kubeconfig) as Kubeconfig).clusters[0]?.cluster ?? {};
  const authority = Buffer.from(cluster['certificate-authority-data'] ?? '', 'base64').toString('utf8');
  return { url: cluster['server'] ?? '', authority };
}
