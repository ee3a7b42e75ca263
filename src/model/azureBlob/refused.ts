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
    why: "the account's network rules do not admit this agent, or its public network access is disabled",
    remedy:
      "Add the agent's network to the storage account's firewall. Where public network access is disabled or a private endpoint is used, run on an agent inside that network, whose DNS gives the private address.",
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
    why: 'the storage account does not admit account keys, nor SAS tokens signed by one',
    remedy: "Use an Azure service connection ('azureSubscription'), or a SAS token of a user delegation key.",
  },
  PublicAccessNotPermitted: {
    code: 'STORAGE_FORBIDDEN',
    why: 'the storage account does not admit anonymous readers',
    remedy:
      "Use an Azure service connection, or set 'authentication' to accountKey, sas or connectionString.",
  },
  AuthorizationServiceMismatch: {
    code: 'STORAGE_FORBIDDEN',
    why: 'the SAS token is not for blobs',
    remedy: `Make a SAS token for the blob service (ss=b), for ${readAndList}.`,
  },
  AuthorizationResourceTypeMismatch: {
    code: 'STORAGE_FORBIDDEN',
    why: 'the SAS token is not for containers and blobs',
    remedy: `Make a SAS token for ${readAndList}.`,
  },
  AccountIsDisabled: {
    code: 'STORAGE_FORBIDDEN',
    why: 'the storage account is disabled',
    remedy: "Look at the subscription's state: one that is not paid, or deleted, disables its accounts.",
  },
  AuthorizationPermissionMismatch: {
    code: 'STORAGE_FORBIDDEN',
    why: 'the credential lacks the right to list or to read',
    remedy: `Use a credential that allows ${readAndList}.`,
  },
};

/** A clock further off than this, in milliseconds, explains a refused signature or token by itself. */
const toleratedSkewMs = 5 * 60_000;

/** The refusal that the agent's clock explains; `server` is the time of the answer. */
function clockRefusal(serviceCode: string, server: Date, now: Date): Refusal | undefined {
  const skew = now.getTime() - server.getTime();
  if (!/^(AuthenticationFailed|InvalidAuthenticationInfo)$/.test(serviceCode)) return undefined;
  if (!(Math.abs(skew) > toleratedSkewMs)) return undefined;
  const minutes = Math.round(Math.abs(skew) / 60_000);
  return {
    code: 'STORAGE_CLOCK_SKEW',
    why: `the agent's clock is ${minutes} minutes ${skew > 0 ? 'ahead of' : 'behind'} the storage's, where it was ${server.toISOString()}`,
    remedy: "Synchronise the agent's clock (NTP): signatures and tokens are valid for minutes around it.",
  };
}

/** What an identity lacks. https://learn.microsoft.com/azure/storage/blobs/authorize-access-azure-active-directory */
function identityRefusal(serviceCode: string, said: string): Refusal {
  if (serviceCode === 'AuthorizationPermissionMismatch') {
    return {
      code: 'STORAGE_ROLE_MISSING',
      why: 'the identity of the service connection may not read its blobs',
      remedy:
        "Grant it the role 'Storage Blob Data Reader' on the storage account or the container (az role assignment create); Owner and Contributor do not include it. It takes effect within minutes.",
    };
  }
  if (/issuer/i.test(said)) {
    return {
      code: 'STORAGE_TOKEN_REFUSED',
      why: "the token of the service connection's identity is of another tenant than the storage account",
      remedy:
        "Use a service connection of the storage account's tenant, or move the account's subscription there.",
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

function refusalOf(serviceCode: string, location: AzureBlobLocation, answer: RefusedAnswer): Refusal {
  const { credential } = location;
  const clock = clockRefusal(serviceCode, answer.serverTime, new Date());
  if (clock !== undefined) return clock;
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
      return identityRefusal(serviceCode, answer.said.message);
    case 'anonymous':
      return {
        code: 'STORAGE_FORBIDDEN',
        why: 'it does not exist, or it is private and no credential was given',
        remedy: "Set 'authentication' to accountKey, sas or connectionString, and check 'container'.",
      };
  }
}

/** What the service answered. */
export interface RefusedAnswer {
  /** Its own code, for example `AuthenticationFailed`. */
  readonly serviceCode: string;
  readonly said: Error;
  /** Invalid where the answer has no time. */
  readonly serverTime: Date;
}

/** Why the service refused this credential, in words that name what to change. */
export function refusedAccess(answer: RefusedAnswer, location: AzureBlobLocation): DeliveryError {
  const meaning = meaningOf(answer.serviceCode, answer.said);
  const { code, why, remedy } = refusalOf(meaning, location, answer);
  return new DeliveryError({
    code,
    side: code === 'STORAGE_FIREWALL' ? 'storage' : 'identity',
    message: `The model storage refused access to container '${location.container}' at ${location.endpoint}: ${why}.`,
    remedy,
    cause: answer.said,
  });
}
