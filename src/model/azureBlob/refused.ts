import { DeliveryError } from '../../errors.ts';
import type { AzureBlobLocation } from './location.ts';

interface Refusal {
  readonly code: string;
  readonly why: string;
  readonly remedy: string;
}

const readAndList = 'reading and listing (sp=rl), for the container (sr=c) or the account (srt=co)';

function sasRefusal(token: string, now: Date): Refusal | undefined {
  const fields = new URLSearchParams(token);
  const until = new Date(fields.get('se') ?? Number.NaN);
  const from = new Date(fields.get('st') ?? Number.NaN);
  const rights = fields.get('sp') ?? '';
  const resource = fields.get('sr') ?? 'c';
  if (until <= now) {
    return {
      code: 'STORAGE_SAS_EXPIRED',
      why: `the SAS token expired at ${until.toISOString()}`,
      remedy: "Make a new SAS token and store it in the secret variable that 'sasToken' names.",
    };
  }
  if (from > now) {
    return {
      code: 'STORAGE_SAS_EXPIRED',
      why: `the SAS token is valid only from ${from.toISOString()}`,
      remedy: "Wait, or make a SAS token without a start time; check the agent's clock too.",
    };
  }
  const lacking = [...'rl'].filter((right) => rights !== '' && !rights.includes(right));
  if (lacking.length === 0 && resource !== 'b') return undefined;
  const what = resource === 'b' ? 'is for one blob only' : `lacks the right '${lacking.join("' and '")}'`;
  return {
    code: 'STORAGE_FORBIDDEN',
    why: `the SAS token ${what}`,
    remedy: `Make a SAS token for ${readAndList}.`,
  };
}

/** By the service's own code. https://learn.microsoft.com/rest/api/storageservices/common-rest-api-error-codes */
const byCode: Readonly<Record<string, Refusal>> = {
  AuthorizationFailure: {
    code: 'STORAGE_FIREWALL',
    why: "the account's network rules do not admit this agent, or public access is disabled",
    remedy:
      "Add the agent's network to the storage account's firewall, or run on an agent inside its network.",
  },
  AuthorizationSourceIPMismatch: {
    code: 'STORAGE_FIREWALL',
    why: "the SAS token admits other addresses than this agent's",
    remedy: "Make a SAS token whose address range (sip) holds the agent's address.",
  },
  AuthorizationProtocolMismatch: {
    code: 'STORAGE_FORBIDDEN',
    why: 'the SAS token admits HTTPS only',
    remedy: "Write 'blobEndpoint' with https.",
  },
  KeyBasedAuthenticationNotPermitted: {
    code: 'STORAGE_FORBIDDEN',
    why: 'the storage account does not admit account keys',
    remedy: 'Use a SAS token made with a user delegation key.',
  },
  PublicAccessNotPermitted: {
    code: 'STORAGE_FORBIDDEN',
    why: 'the storage account does not admit anonymous readers',
    remedy: "Set 'authentication' to accountKey, sas or connectionString.",
  },
  AuthorizationPermissionMismatch: {
    code: 'STORAGE_FORBIDDEN',
    why: 'the credential lacks the right to list or to read',
    remedy: `Use a credential that allows ${readAndList}.`,
  },
};

/** What an identity lacks. https://learn.microsoft.com/azure/storage/blobs/authorize-access-azure-active-directory */
function identityRefusal(serviceCode: string): Refusal {
  if (serviceCode === 'AuthorizationPermissionMismatch') {
    return {
      code: 'STORAGE_ROLE_MISSING',
      why: 'the identity of the service connection may not read its blobs',
      remedy:
        "Grant it the role 'Storage Blob Data Reader' on the storage account or the container (az role assignment create); Owner and Contributor do not include it. It takes effect within minutes.",
    };
  }
  return {
    code: 'STORAGE_TOKEN_REFUSED',
    why: "the token of the service connection's identity was not accepted",
    remedy:
      "Check that the storage account belongs to the tenant of the service connection, that 'blobEndpoint' is https, and the agent's clock.",
  };
}

/**
 * The service says AuthorizationFailure for a network that is not admitted; Azurite says it for a wrong
 * credential, with the sentence that the service has for AuthenticationFailed.
 */
function meaningOf(serviceCode: string, cause: Error): string {
  const credential = /failed to authenticate/i.test(cause.message);
  return serviceCode === 'AuthorizationFailure' && credential ? 'AuthenticationFailed' : serviceCode;
}

function refusalOf(serviceCode: string, location: AzureBlobLocation): Refusal {
  const { credential } = location;
  const expired = credential.kind === 'sas' ? sasRefusal(credential.token, new Date()) : undefined;
  const lacksRole = credential.kind === 'identity' && serviceCode === 'AuthorizationPermissionMismatch';
  const known = lacksRole ? undefined : (expired ?? byCode[serviceCode]);
  if (known !== undefined) return known;
  switch (credential.kind) {
    case 'accountKey':
      return {
        code: 'STORAGE_KEY_WRONG',
        why: `the key is not one of storage account '${credential.account}'`,
        remedy: "Copy the account's present key into the secret variable; keys change when they are rotated.",
      };
    case 'sas':
      return {
        code: 'STORAGE_FORBIDDEN',
        why: 'the SAS token was not accepted: its signature, key or resource is another',
        remedy: `Make a new SAS token for ${readAndList}; a rotated key ends all tokens signed by it.`,
      };
    case 'identity':
      return identityRefusal(serviceCode);
    case 'anonymous':
      return {
        code: 'STORAGE_FORBIDDEN',
        why: 'it does not exist, or it is private and no credential was given',
        remedy: "Set 'authentication' to accountKey, sas or connectionString, and check 'container'.",
      };
  }
}

/** Why the service refused this credential, in words that name what to change. */
export function refusedAccess(serviceCode: string, location: AzureBlobLocation, cause: Error): DeliveryError {
  const { code, why, remedy } = refusalOf(meaningOf(serviceCode, cause), location);
  return new DeliveryError({
    code,
    side: code === 'STORAGE_FIREWALL' ? 'storage' : 'identity',
    message: `The model storage refused access to container '${location.container}' at ${location.endpoint}: ${why}.`,
    remedy,
    cause,
  });
}
