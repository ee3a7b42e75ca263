import https from 'node:https';
import {
  AssumeRoleCommand,
  type AssumeRoleCommandOutput,
  AssumeRoleWithWebIdentityCommand,
  STSClient,
} from '@aws-sdk/client-sts';
import { createSend } from '../../azure/http.ts';
import { requestOidcToken } from '../../azure/oidc.ts';
import { type Network, trustedAuthorities } from '../../azure/signIn.ts';
import type { Host } from '../../host/host.ts';
import { afterOwnName, clientSettings, namingProduct } from './client.ts';
import type { S3SignIn } from './connection.ts';
import type { S3SessionKeys } from './location.ts';
import { explainSts, type RoleOrder } from './stsRefused.ts';
import { claimsOf, shownClaims } from './tokenClaims.ts';

/** What asking for a session needs of the agent. */
type StsHost = Pick<Host, 'secret' | 'pipelineIdentity' | 'cancelled' | 'log'>;

/** A role's session to begin. */
export interface SessionOrder {
  readonly signIn: Exclude<S3SignIn, { kind: 'keys' }>;
  /** Region of the token service. */
  readonly region: string;
  /** Where the connection has none of its own. */
  readonly sessionName: string;
}

/** What this process asks of a token service, and the service's clock when it answered. */
interface Asked {
  readonly client: STSClient;
  served(): number;
}

function openClient({ signIn, region }: SessionOrder, network: Network): Asked {
  const { endpoint } = signIn.role;
  const ca = trustedAuthorities(network);
  const settings = clientSettings(4);
  const client = new STSClient({
    ...settings,
    ...(ca !== undefined && {
      requestHandler: { ...settings.requestHandler, httpsAgent: new https.Agent({ ca }) },
    }),
    region,
    ...(endpoint !== undefined && { endpoint }),
    ...(signIn.kind === 'role' && { credentials: signIn.credentials }),
  });
  client.middlewareStack.add(namingProduct, afterOwnName);
  let date: string | undefined;
  client.middlewareStack.add(
    (next) => async (input) => {
      const result = await next(input);
      const { headers = {} } = result.response as { readonly headers?: Record<string, string> };
      date = headers['date'];
      return result;
    },
    { step: 'deserialize' },
  );
  // The header's seconds are cut, so the answer was given up to one later.
  return { client, served: () => (date === undefined ? Date.now() : Date.parse(date) + 1000) };
}

async function pipelineToken(
  { connectionId }: { readonly connectionId: string },
  host: StsHost,
  network: Network,
): Promise<string> {
  const request = { pipeline: host.pipelineIdentity(), connectionId, signal: host.cancelled };
  const token = await requestOidcToken(createSend(network, host.log), request);
  host.secret(token);
  return token;
}

async function ask(order: SessionOrder, token: string | undefined, client: STSClient, signal: AbortSignal) {
  const { signIn } = order;
  const { arn: RoleArn, durationSeconds: DurationSeconds, sessionName = order.sessionName } = signIn.role;
  const common = { RoleArn, DurationSeconds, RoleSessionName: sessionName };
  if (signIn.kind === 'oidc') {
    const command = new AssumeRoleWithWebIdentityCommand({ ...common, WebIdentityToken: token });
    return await client.send(command, { abortSignal: signal });
  }
  const { externalId: ExternalId } = signIn;
  const command = new AssumeRoleCommand({ ...common, ...(ExternalId !== undefined && { ExternalId }) });
  return await client.send(command, { abortSignal: signal });
}

/** The answer's keys. Their end is told by the service's clock, and kept by this machine's. */
function keysOf(
  { Credentials }: Pick<AssumeRoleCommandOutput, 'Credentials'>,
  served: number,
): S3SessionKeys {
  const { AccessKeyId, SecretAccessKey, SessionToken, Expiration } = Credentials ?? {};
  if (!AccessKeyId || !SecretAccessKey || !SessionToken || Expiration === undefined) {
    throw new Error('the token service gave no session keys');
  }
  return {
    accessKeyId: AccessKeyId,
    secretAccessKey: SecretAccessKey,
    sessionToken: SessionToken,
    expiration: new Date(Date.now() + Expiration.getTime() - served),
  };
}

/**
 * Assumes the role, by the connection's keys or by an OIDC token that is asked for anew each time.
 * https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRoleWithWebIdentity.html
 * Throws S3_ROLE_…, S3_OIDC_… and IDENTITY_… errors.
 */
export async function beginSession(
  order: SessionOrder,
  host: StsHost,
  network: Network,
): Promise<S3SessionKeys> {
  const { signIn } = order;
  const { client, served } = openClient(order, network);
  let known: RoleOrder = { signIn, region: order.region };
  try {
    const token = signIn.kind === 'oidc' ? await pipelineToken(signIn, host, network) : undefined;
    if (token !== undefined) {
      const claims = claimsOf(token);
      known = { ...known, claims };
      host.log.info(`S3 role ${signIn.role.arn}, by the pipeline's OIDC token: ${shownClaims(claims)}`);
    }
    return keysOf(await ask(order, token, client, host.cancelled), served());
  } catch (error) {
    host.cancelled.throwIfAborted();
    throw explainSts(error, known);
  } finally {
    client.destroy();
  }
}
