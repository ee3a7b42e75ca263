import { randomBytes, randomUUID } from 'node:crypto';
import type { ClusterTenant } from '../cluster/entra.ts';
import { applicationCertificate, type CertificateAuthority, createAuthority } from './authority.ts';
import { type DevOps, startDevOps, tokenExchange } from './devops.ts';
import type { Application, Directory, Tenant } from './directory.ts';
import { type Entra, startEntra } from './entra.ts';
import { startManagedIdentity } from './managed.ts';
import type { RunningServer } from './server.ts';

/** Audiences of the services that tokens are for; none ends in a slash. */
export const audiences = {
  resourceManager: 'https://management.directory.test',
  storage: 'https://storage.azure.com',
  registry: 'https://containerregistry.azure.net',
  aks: '6dae42f8-4368-4678-94ff-3960e28e3630',
} as const;

/** The pipeline's application, with every way to prove itself. */
export interface PipelineApplication extends Application {
  readonly secret: string;
  readonly expiredSecret: string;
  /** Certificate and key, PEM. */
  readonly pem: string;
}

/** Everything that signs in, in this process: stopped by `close`. */
export interface LocalIdentity {
  readonly authority: CertificateAuthority;
  readonly entra: Entra;
  readonly devops: DevOps;
  readonly managed: RunningServer;
  readonly tenantId: string;
  /** Object id of the group that the application and the machine's identities are members of. */
  readonly group: string;
  /** The service connection that is federated with the application. */
  readonly connectionId: string;
  readonly application: PipelineApplication;
  readonly userAssigned: Application;
  readonly system: Application;
  /** What the tenant knows, to be changed while it runs. */
  readonly directory: { tenants: Tenant[]; readonly issuers: Directory['issuers'] };
  close(): Promise<void>;
}

function identity(group: string): Application {
  return { clientId: randomUUID(), objectId: randomUUID(), groups: [group] };
}

async function pipelineApplication(
  devops: DevOps,
  connectionId: string,
  group: string,
): Promise<PipelineApplication> {
  const { certificate, pem } = await applicationCertificate();
  const [secret, expiredSecret] = [0, 0].map(() => randomBytes(24).toString('base64url')) as [string, string];
  return {
    ...identity(group),
    secret,
    expiredSecret,
    pem,
    secrets: [{ value: secret }, { value: expiredSecret, expired: true }],
    certificates: [certificate],
    federated: [{ issuer: devops.issuer, subject: devops.subjectOf(connectionId), audience: tokenExchange }],
  };
}

/**
 * Starts the sign-in service, the pipelines' OIDC endpoint and a machine's managed identity; for the tenant that a
 * cluster trusts, or for a new one.
 */
export async function startIdentity(trusted?: ClusterTenant): Promise<LocalIdentity> {
  const authority = await createAuthority();
  const certificate = await authority.issue();
  const [connectionId, stranger, group] = [randomUUID(), randomUUID(), randomUUID()];
  const names = new Map([
    [connectionId, 'azure'],
    [stranger, 'not-federated'],
  ]);
  const devops = await startDevOps(names, certificate);
  const application = await pipelineApplication(devops, connectionId, group);
  const tenant = {
    id: trusted?.id ?? randomUUID(),
    applications: [application],
    resources: Object.values(audiences),
  };
  const directory = { tenants: [tenant], issuers: new Map([[devops.issuer, devops.verifyKey]]) };
  const entra = await startEntra(directory, certificate, trusted?.key);
  const [system, userAssigned] = [identity(group), identity(group)];
  const machine = { tenantId: tenant.id, system, userAssigned: [userAssigned] };
  const managed = await startManagedIdentity(machine, entra);
  return {
    authority,
    entra,
    devops,
    managed,
    tenantId: tenant.id,
    group,
    connectionId,
    application,
    userAssigned,
    system,
    directory,
    close: async () => {
      await Promise.all([entra.close(), devops.close(), managed.close()]);
    },
  };
}
