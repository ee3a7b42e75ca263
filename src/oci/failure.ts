import { DeliveryError } from '../errors.ts';
import { isTemporaryNetworkError, isTemporaryStatus, type RetryAdvice } from '../http/retry.ts';
import { exactVerdict, type Verdict } from './exactFailure.ts';
import { RegistryRefusal } from './refusal.ts';

/** Whether a failed request to a registry is worth another attempt. */
export function adviseRegistry(error: unknown): RetryAdvice {
  if (error instanceof RegistryRefusal) {
    const temporary = isTemporaryStatus(error.status);
    return error.retryAfterMs === undefined ? { temporary } : { temporary, afterMs: error.retryAfterMs };
  }
  return { temporary: isTemporaryNetworkError(error) };
}

/** What was being done, for the error's first sentence. */
export interface FailedAction {
  readonly registryUrl: string;
  /** For example `read the tags of app`. */
  readonly action: string;
  /** Undefined without user and password. */
  readonly username?: string;
  /** Whether an identity signed in, by tokens instead of a password. */
  readonly hasIdentity?: boolean;
}

function errorCode(error: unknown): string {
  for (let current = error; current instanceof Error; current = current.cause) {
    if ('code' in current && typeof current.code === 'string') return current.code;
  }
  return '';
}

function networkFailure(error: unknown, failed: FailedAction): DeliveryError {
  const code = errorCode(error);
  const details = { side: 'registry', cause: error } as const;
  if (/CERT|SIGNATURE|ISSUER|SELF_SIGNED/.test(code)) {
    return new DeliveryError({
      ...details,
      code: 'REGISTRY_NOT_TRUSTED',
      message: `The registry ${failed.registryUrl} shows a certificate that this agent does not trust.`,
      remedy:
        "Set NODE_EXTRA_CA_CERTS (or the agent's CA file) to the certificate of the authority that issued it.",
    });
  }
  if (/EPROTO|ERR_SSL|WRONG_VERSION/.test(code)) {
    return new DeliveryError({
      ...details,
      code: 'REGISTRY_NOT_TLS',
      message: `The registry ${failed.registryUrl} does not speak TLS.`,
      remedy:
        'If it is meant to be reached without encryption, write its URL with http:// in the service connection.',
    });
  }
  if (!isTemporaryNetworkError(error) && !/^E[A-Z]+$|^UND_ERR/.test(code)) {
    return new DeliveryError({
      ...details,
      code: 'REGISTRY_ANSWER_INVALID',
      message: `The registry ${failed.registryUrl} gave an answer that cannot be used, asked to ${failed.action}.`,
      remedy: 'Check that the address is a container registry, and that no proxy answers in its place.',
    });
  }
  return new DeliveryError({
    ...details,
    code: 'REGISTRY_UNREACHABLE',
    message: `The registry ${failed.registryUrl} cannot be reached to ${failed.action}.`,
    remedy: 'Check the name, the firewall or private endpoint, and that the agent can resolve and reach it.',
  });
}

function whoOf({ username, hasIdentity }: FailedAction): string {
  if (hasIdentity === true) return 'the identity of the Azure service connection';
  return username === undefined ? 'an anonymous reader' : `user '${username}'`;
}

function unauthorised(failed: FailedAction): Verdict {
  const anonymous =
    'Give credentials by a Docker registry service connection; some registries answer so for unknown names too.';
  const byPassword =
    'Check user name and password (or token, and whether it expired) in the service connection.';
  const byIdentity =
    "Its token was given and then refused: check that the identity still has its role (AcrPull, AcrPush), the agent's clock, and that the login server is this registry's own.";
  const withoutIdentity = failed.username === undefined ? anonymous : byPassword;
  return {
    code: 'REGISTRY_UNAUTHORIZED',
    message: `The registry ${failed.registryUrl} did not accept ${whoOf(failed)} to ${failed.action}.`,
    remedy: failed.hasIdentity === true ? byIdentity : withoutIdentity,
  };
}

function verdictOf(refusal: RegistryRefusal, failed: FailedAction): Verdict {
  const exact = exactVerdict(refusal, failed);
  if (exact !== undefined) return exact;
  const { registryUrl, action } = failed;
  const who = whoOf(failed);
  if (refusal.status === 401) return unauthorised(failed);
  if (refusal.status === 403) {
    return {
      code: 'REGISTRY_FORBIDDEN',
      message: `The registry ${registryUrl} does not allow ${who} to ${action}.`,
      remedy:
        "Grant the right (for Azure: AcrPull to read, AcrPush to write), or check the registry's network rules.",
    };
  }
  if (refusal.status === 404) {
    return {
      code: 'REGISTRY_NOT_FOUND',
      message: `The registry ${registryUrl} knows no such thing: it could not ${action}.`,
      remedy: 'Check the names.',
    };
  }
  if (refusal.status === 429) {
    return {
      code: 'REGISTRY_BUSY',
      message: `The registry ${registryUrl} kept refusing to ${action}: too many requests.`,
      remedy:
        'Wait and run again; for Docker Hub, give credentials or copy the base image into your own registry.',
    };
  }
  if (refusal.status >= 500) {
    return {
      code: 'REGISTRY_FAILED',
      message: `The registry ${registryUrl} failed to ${action}, also after further attempts.`,
      remedy: "Look at the registry's own log and its free space, then run again.",
    };
  }
  return {
    code: 'REGISTRY_REFUSED',
    message: `The registry ${registryUrl} refused to ${action}.`,
    remedy: 'Its reason stands above; a policy for tags or a setting of the repository may be the cause.',
  };
}

/** A failure of a request as the reader of the log needs it; what is explained already stays as it is. */
export function explainRegistryFailure(error: unknown, failed: FailedAction): Error {
  if (error instanceof DeliveryError || (error instanceof Error && error.name === 'AbortError')) return error;
  if (!(error instanceof RegistryRefusal)) return networkFailure(error, failed);
  return new DeliveryError({ ...verdictOf(error, failed), side: 'registry', cause: error });
}
