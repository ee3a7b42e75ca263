import type { PipelinePolicy } from '@azure/core-rest-pipeline';
import type { TokenCredential } from '@azure/identity';
import type { Host } from '../host/host.ts';
import { sdkClient } from '../http/network/sdkClient.ts';
import { userAgent } from '../http/ownRequest.ts';
import type { AzureConnection, WorkloadIdentity } from './connection.ts';
import { explainSignIn } from './failure.ts';
import { hiddenReason } from './hiddenReason.ts';
import { createSend, type SendAzure } from './http.ts';
import { requestOidcToken } from './oidc.ts';
import { patience } from './patience.ts';
import {
  type Identity,
  type IssuedToken,
  type Network,
  type SignInHost,
  trustedAuthorities,
} from './signIn.ts';
import { tellWaits } from './waiting.ts';

/** As the SDK has it. */
const usualRetries = 3;
/** A virtual machine without an identity would be asked for more than a minute. */
const machineRetries = 2;

function optionsFor(connection: AzureConnection, network: Network, policy: PipelinePolicy) {
  const ca = trustedAuthorities(network);
  return {
    authorityHost: connection.cloud.authorityHost,
    // MSAL asks the public sign-in service whether it knows the authority; it knows none of a private cloud.
    disableInstanceDiscovery: !connection.cloud.authorityIsKnown,
    userAgentOptions: { userAgentPrefix: userAgent() },
    retryOptions: { maxRetries: usualRetries },
    additionalPolicies: [{ policy, position: 'perRetry' as const }],
    ...sdkClient(),
    ...(ca === undefined ? {} : { tlsOptions: { ca } }),
  };
}

/** One token request. MSAL asks for its proof twice, and keeps an error's text alone. */
interface TokenRequest {
  assertion?: Promise<string>;
  failure?: unknown;
  /** Of the last answer. */
  status?: number;
}

async function oidcToken(connection: WorkloadIdentity, host: SignInHost, send: SendAzure): Promise<string> {
  const request = { pipeline: host.pipelineIdentity(), connectionId: connection.id, signal: host.cancelled };
  const token = await requestOidcToken(send, request);
  host.secret(token);
  return token;
}

function assertionOf(
  connection: WorkloadIdentity,
  host: SignInHost,
  send: SendAzure,
  request: () => TokenRequest,
): () => Promise<string> {
  return async () => {
    const current = request();
    try {
      current.assertion ??= oidcToken(connection, host, send);
      return await current.assertion;
    } catch (error) {
      current.failure = error;
      throw error;
    }
  };
}

async function sdkCredential(
  connection: AzureConnection,
  host: SignInHost,
  network: Network,
  request: () => TokenRequest,
): Promise<TokenCredential> {
  const sdk = await import('@azure/identity');
  const retries = connection.kind === 'managedIdentity' ? machineRetries : usualRetries;
  const onAnswer = (status: number): void => {
    request().status = status;
  };
  const policy = patience({ ...{ cancelled: host.cancelled, retries, onAnswer }, tell: tellWaits(host.log) });
  const options = optionsFor(connection, network, policy);
  switch (connection.kind) {
    case 'workloadIdentity': {
      const { tenantId, clientId } = connection;
      const assertion = assertionOf(connection, host, createSend(network, host.log), request);
      return new sdk.ClientAssertionCredential(tenantId, clientId, assertion, options);
    }
    case 'clientSecret': {
      host.secret(connection.secret);
      return new sdk.ClientSecretCredential(
        connection.tenantId,
        connection.clientId,
        connection.secret,
        options,
      );
    }
    case 'clientCertificate': {
      host.secret(connection.pem);
      const certificate = { certificate: connection.pem };
      return new sdk.ClientCertificateCredential(
        connection.tenantId,
        connection.clientId,
        certificate,
        options,
      );
    }
    case 'managedIdentity':
      return new sdk.ManagedIdentityCredential({
        ...(connection.clientId === undefined ? {} : { clientId: connection.clientId }),
        userAgentOptions: { userAgentPrefix: userAgent() },
        // The machine's own service is never behind a proxy, whatever the environment says.
        ...sdkClient(),
        retryOptions: { maxRetries: machineRetries },
        additionalPolicies: options.additionalPolicies,
      });
  }
}

/**
 * The identity of an Azure service connection. Nothing is loaded or asked before the first token; requests for the
 * same token that come together are one. Every token asked for anew is proven anew, so no assertion grows old.
 * Tokens and keys are registered for masking. `getToken` throws IDENTITY_… errors.
 */
export function createCredential(
  connection: AzureConnection,
  host: SignInHost,
  network: Network = {},
): Identity {
  const running = new Map<string, Promise<IssuedToken>>();
  let inner: Promise<TokenCredential> | undefined;
  let current: TokenRequest = {};
  // One request at a time: MSAL does not say which one it asks a proof for.
  let last: Promise<unknown> = Promise.resolve();

  const request = async (scopes: string[]): Promise<IssuedToken> => {
    current = {};
    try {
      inner ??= sdkCredential(connection, host, network, () => current);
      const token = await (await inner).getToken(scopes, { abortSignal: host.cancelled });
      if (token === null) throw new Error('the sign-in service gave no token');
      host.secret(token.token);
      return { token: token.token, expiresOnTimestamp: token.expiresOnTimestamp };
    } catch (error) {
      host.cancelled.throwIfAborted();
      const reason =
        current.failure ??
        (await hiddenReason(error, connection, createSend(network, host.log), host.cancelled));
      throw explainSignIn(reason, connection, scopes, current.status);
    }
  };

  return {
    getToken(scopes) {
      const wanted = [scopes].flat();
      const key = wanted.join(' ');
      const started = running.get(key) ?? last.then(() => request(wanted)).finally(() => running.delete(key));
      running.set(key, started);
      last = started.catch(() => undefined);
      return started;
    },
  };
}

/** The one identity of a service connection in this run, whose tokens serve all that is opened by it. */
export function identityOf(
  connection: AzureConnection,
  host: SignInHost & Pick<Host, 'once'>,
  network: Network = {},
): Identity {
  return host.once(`identity of ${connection.id}`, () => createCredential(connection, host, network));
}
