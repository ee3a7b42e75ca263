import type { JWTVerifyGetKey } from 'jose';

/** Which outside tokens an application accepts as its own proof. */
export interface FederatedCredential {
  readonly issuer: string;
  readonly subject: string;
  readonly audience: string;
}

/** An application's registration in a tenant. */
export interface Application {
  readonly clientId: string;
  /** Object id of its service principal: what roles are granted to. */
  readonly objectId: string;
  /** Object ids of the groups that it is a member of. */
  readonly groups?: readonly string[];
  readonly secrets?: readonly { readonly value: string; readonly expired?: boolean }[];
  /** Registered certificates, PEM. */
  readonly certificates?: readonly string[];
  readonly federated?: readonly FederatedCredential[];
  readonly disabled?: boolean;
}

export interface Tenant {
  readonly id: string;
  readonly applications: readonly Application[];
  /** Audiences that the tenant knows, without trailing slash. */
  readonly resources: readonly string[];
}

/** What the sign-in service knows; tests change it while it runs. */
export interface Directory {
  readonly tenants: readonly Tenant[];
  /** Keys of outside issuers, which the real service reads from the issuer's address. */
  readonly issuers: ReadonlyMap<string, JWTVerifyGetKey>;
}

/** A refusal in the service's own terms. */
export class EntraRefusal extends Error {
  readonly number: number;
  readonly error: string;
  readonly status: number;

  constructor(number: number, error: string, message: string, status = 400) {
    super(message);
    this.number = number;
    this.error = error;
    this.status = status;
  }
}

/** The tenant by id. Throws 90002. */
export function tenantOf(directory: Directory, id: string): Tenant {
  const tenant = directory.tenants.find((one) => one.id === id);
  if (tenant !== undefined) return tenant;
  throw new EntraRefusal(
    90002,
    'invalid_request',
    `Tenant '${id}' not found. Check to make sure you have the correct tenant ID and are signing into the correct cloud.`,
  );
}

/** The application by client id. Throws 700016 or 7000112. */
export function applicationOf(tenant: Tenant, clientId: string): Application {
  const found = tenant.applications.find((one) => one.clientId === clientId);
  if (found === undefined) {
    throw new EntraRefusal(
      700016,
      'unauthorized_client',
      `Application with identifier '${clientId}' was not found in the directory '${tenant.id}'.`,
    );
  }
  if (found.disabled === true) {
    throw new EntraRefusal(7000112, 'unauthorized_client', `Application '${clientId}' is disabled.`, 401);
  }
  return found;
}
