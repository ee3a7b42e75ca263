import type { AzureConnection } from './connection.ts';

/** What a refusal of the sign-in service means. */
export interface Refusal {
  readonly code: string;
  /** Completes "Azure refused the sign-in of …:". */
  readonly why: string;
  readonly remedy: string;
}

type Words = (connection: AzureConnection, scopes: readonly string[]) => Refusal;

function idOf(connection: AzureConnection): string {
  return connection.kind === 'managedIdentity'
    ? 'the managed identity'
    : `application ${connection.clientId}`;
}

const federation: Words = (connection) => ({
  code: 'IDENTITY_FEDERATION_MISMATCH',
  why: `${idOf(connection)} has no federated credential for the issuer, subject and audience of this service connection`,
  remedy:
    "Compare issuer and subject on the service connection's page (Manage > Workload Identity federation details) with the application's federated credentials: they match letter by letter. A renamed organisation, project or connection changes the subject.",
});

const assertionExpired: Words = (connection) => ({
  code: 'IDENTITY_ASSERTION_EXPIRED',
  why: 'the proof of identity was too old, or not yet valid, when it arrived',
  remedy:
    connection.kind === 'clientCertificate'
      ? "A new one is made for each request by the agent's clock, which is wrong: synchronise it (NTP)."
      : 'Azure DevOps makes a new one for each request, valid for minutes: run again; if it repeats, look for a proxy that holds requests back, and compare the times in the reason.',
});

const appUnknown: Words = (connection) => ({
  code: 'IDENTITY_APP_UNKNOWN',
  why: `${idOf(connection)} does not exist in this tenant`,
  remedy:
    "Check application and tenant id of the service connection; a deleted application needs a new one, and another tenant's application needs consent there.",
});

const secretExpired: Words = (connection) => ({
  code: 'IDENTITY_SECRET_EXPIRED',
  why: `the secret of ${idOf(connection)} has expired`,
  remedy:
    'Make a new secret (az ad app credential reset) and put it into the service connection, or convert the connection to workload identity federation, which has no secret to expire.',
});

const certificateRefused: Words = (connection) => ({
  code: 'IDENTITY_CERTIFICATE_REFUSED',
  why: `the certificate in the service connection is not one of ${idOf(connection)}, or it has expired`,
  remedy:
    "Compare its thumbprint with the application's certificates (az ad app credential list --cert), and upload the present one to both.",
});

const assertionRefused: Words = (connection, scopes) =>
  connection.kind === 'clientCertificate'
    ? certificateRefused(connection, scopes)
    : {
        code: 'IDENTITY_ASSERTION_REFUSED',
        why: "the proof of identity that Azure DevOps gave was not accepted: its signature is not its issuer's, or it had been used",
        remedy:
          "Run again; if it repeats, compare the issuer on the service connection's page with the application's federated credential.",
      };

/** A service that goes on failing. */
export const busy = (connection: AzureConnection): Refusal => ({
  code: 'IDENTITY_BUSY',
  why: `the sign-in service ${connection.cloud.authorityHost} is overloaded or failing, also after several attempts`,
  remedy: 'Run again later; the state of the service is at https://status.azure.com.',
});

const conditionalAccess: Words = () => ({
  code: 'IDENTITY_CONDITIONAL_ACCESS',
  why: 'a Conditional Access policy of the tenant blocks it from where this agent is',
  remedy:
    "Ask the tenant's administrators to admit the agent's network in the policy for workload identities, or run on an agent inside it.",
});

const tenantUnknown: Words = (connection) => ({
  code: 'IDENTITY_TENANT_UNKNOWN',
  why: `tenant '${connection.tenantId ?? ''}' does not exist at ${connection.cloud.authorityHost}`,
  remedy:
    'Check the tenant id of the service connection and its environment: a tenant of another cloud (US Government, China) is not known here.',
});

/**
 * By AADSTS number, each with what to do.
 * https://learn.microsoft.com/entra/identity-platform/reference-error-codes
 */
const byNumber: Readonly<Record<string, Words>> = {
  '700024': assertionExpired,
  '500133': assertionExpired,
  '700016': appUnknown,
  '7000215': (connection) => ({
    code: 'IDENTITY_SECRET_WRONG',
    why: `the secret in the service connection is not one of ${idOf(connection)}`,
    remedy:
      "Put the secret's value (not its id) into the service connection, or convert it to workload identity federation, which has no secret.",
  }),
  '7000222': secretExpired,
  '70021': federation,
  '700211': federation,
  '700212': federation,
  '700213': federation,
  '7002138': federation,
  '700223': federation,
  '700021': federation,
  '700023': federation,
  '90002': tenantUnknown,
  '900023': tenantUnknown,
  '900382': tenantUnknown,
  '500011': (_connection, scopes) => ({
    code: 'IDENTITY_RESOURCE_UNKNOWN',
    why: `the tenant knows no service '${scopes.join(' ').replaceAll('/.default', '')}'`,
    remedy:
      "Check that the service connection's environment is the cloud of that service, and that its resource provider has been used in this tenant.",
  }),
  '50012': assertionRefused,
  '50013': assertionRefused,
  '50196': busy,
  '90033': busy,
  '700027': certificateRefused,
  '700030': certificateRefused,
  '7000112': (connection) => ({
    code: 'IDENTITY_APP_DISABLED',
    why: `${idOf(connection)} is disabled`,
    remedy: "Enable it again in the tenant's Enterprise applications (Enabled for users to sign in).",
  }),
  '53003': conditionalAccess,
  '530035': conditionalAccess,
};

/** The meaning of an AADSTS number; undefined for one that is not known here. */
export function refusalOf(
  number: string,
  connection: AzureConnection,
  scopes: readonly string[],
): Refusal | undefined {
  return byNumber[number]?.(connection, scopes);
}
