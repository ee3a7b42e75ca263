import { DeliveryError } from '../errors.ts';
import { isTemporaryNetworkError, isTemporaryStatus } from '../http/retry.ts';
import type { AzureConnection } from './connection.ts';
import { busy, type Refusal, refusalOf } from './refusals.ts';

const certificateProblem =
  /self[- ]signed certificate|unable to (get|verify)|CERT_|ERR_TLS|certificate has expired|altnames/i;
const networkProblem =
  /ENOTFOUND|ECONN|EAI_AGAIN|ETIMEDOUT|ENETUNREACH|EHOSTUNREACH|network_error|Network unreachable|UND_ERR|endpoints_resolution_error|socket hang up/i;

/** All that is said in an error and its causes: SDKs keep the service's answer in their text alone. */
function textOf(error: unknown): string {
  const parts: string[] = [];
  for (let current = error; current instanceof Error && parts.length < 6; current = current.cause) {
    const code = 'code' in current && typeof current.code === 'string' ? `${current.code}: ` : '';
    parts.push(`${code}${current.message}`);
  }
  return parts.join(' ');
}

/** The service's sentence with the ids that its support asks for, without the SDK's frame around it. */
function said(text: string): Error {
  const sentence = /AADSTS\d+:[^\r\n]*?(?=\s*(?:Trace ID|Correlation ID|Timestamp|$|[\r\n]))/.exec(text)?.[0];
  const correlation = /correlation[ _]id["':\s]+([0-9a-f-]{36})/i.exec(text)?.[1];
  const trace = /trace[ _]id["':\s]+([0-9a-f-]{36})/i.exec(text)?.[1];
  const ids = [
    ...(correlation === undefined ? [] : [`correlation id ${correlation}`]),
    ...(trace === undefined ? [] : [`trace id ${trace}`]),
  ];
  const message = (sentence ?? text).slice(0, 600);
  return new Error(ids.length === 0 ? message : `${message} (${ids.join(', ')})`);
}

function whoOf(connection: AzureConnection): string {
  return `service connection '${connection.id}'`;
}

function unreachable(text: string, who: string, authorityHost: string): DeliveryError {
  const untrusted = certificateProblem.test(text);
  return new DeliveryError({
    code: untrusted ? 'IDENTITY_UNTRUSTED' : 'IDENTITY_UNREACHABLE',
    side: 'identity',
    message: untrusted
      ? `The sign-in of ${who} met a certificate that this agent does not trust (at ${authorityHost}, or at Azure DevOps).`
      : `The sign-in service ${authorityHost}, which ${who} needs, cannot be reached from this agent.`,
    remedy: untrusted
      ? 'Give the agent the authority that signed it (config --sslcacert, or NODE_EXTRA_CA_CERTS); a proxy that inspects TLS shows its own.'
      : "Admit the host in the agent's firewall or proxy, and check that the agent resolves its name.",
    cause: said(text),
  });
}

function managedIdentityFailure(text: string, connection: AzureConnection): DeliveryError {
  const unknown = /identity not found|no (?:managed )?identity|invalid_request|not assigned/i.test(text);
  const clientId = connection.kind === 'managedIdentity' ? connection.clientId : undefined;
  const which = clientId === undefined ? 'a system-assigned identity' : `the identity ${clientId}`;
  return new DeliveryError({
    code: unknown ? 'IDENTITY_MANAGED_UNKNOWN' : 'IDENTITY_MANAGED_UNREACHABLE',
    side: 'identity',
    message: unknown
      ? `The agent's machine does not have ${which}, by which ${whoOf(connection)} signs in.`
      : `The agent's machine has no managed identity service, by which ${whoOf(connection)} signs in.`,
    remedy: unknown
      ? 'Assign it (az vm identity assign), or name another client id in the service connection.'
      : 'Managed identity works only on agents that run in Azure (virtual machine, scale set, container) and may reach 169.254.169.254; elsewhere use workload identity federation.',
    cause: said(text),
  });
}

function refused({ code, why, remedy }: Refusal, text: string, connection: AzureConnection): DeliveryError {
  return new DeliveryError({
    code,
    side: 'identity',
    message: `Azure refused the sign-in of ${whoOf(connection)}: ${why}.`,
    remedy,
    cause: said(text),
  });
}

/**
 * IDENTITY_UNREACHABLE or IDENTITY_UNTRUSTED for a sign-in that got no answer; undefined where that is not the
 * reason. `who` needs the service at `authorityHost`.
 */
export function explainUnreachable(
  error: Error,
  who: string,
  authorityHost: string,
): DeliveryError | undefined {
  const text = textOf(error);
  const isNetwork =
    networkProblem.test(text) || certificateProblem.test(text) || isTemporaryNetworkError(error);
  return isNetwork ? unreachable(text, who, authorityHost) : undefined;
}

/** A sign-in that failed without a word of Entra's; undefined where the reason is another one still. */
function unanswered(
  error: Error,
  text: string,
  connection: AzureConnection,
  status: number | undefined,
): DeliveryError | undefined {
  if (status !== undefined && isTemporaryStatus(status)) {
    return refused(busy(connection), `${text} (HTTP ${status})`, connection);
  }
  if (connection.kind === 'managedIdentity') return managedIdentityFailure(text, connection);
  return explainUnreachable(error, whoOf(connection), connection.cloud.authorityHost);
}

/**
 * A failed sign-in for the reader of the log; what is explained already stays as it is. `status` is the last answer's,
 * where one came.
 */
export function explainSignIn(
  error: unknown,
  connection: AzureConnection,
  scopes: readonly string[],
  status?: number,
): unknown {
  if (error instanceof DeliveryError || !(error instanceof Error) || error.name === 'AbortError')
    return error;
  const text = textOf(error);
  const number = /AADSTS(\d+)/.exec(text)?.[1];
  const refusal = number === undefined ? undefined : refusalOf(number, connection, scopes);
  if (refusal !== undefined) return refused(refusal, text, connection);
  const explained = number === undefined ? unanswered(error, text, connection, status) : undefined;
  if (explained !== undefined) return explained;
  return new DeliveryError({
    code: 'IDENTITY_REFUSED',
    side: 'identity',
    message: `The sign-in of ${whoOf(connection)} failed.`,
    remedy:
      "Look for the service's reason above; verify the service connection in the project settings, and give its ids to the tenant's administrators.",
    cause: said(text),
  });
}
