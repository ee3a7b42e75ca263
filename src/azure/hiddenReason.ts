import type { AzureConnection } from './connection.ts';
import type { SendAzure } from './http.ts';

/**
 * Why the sign-in service's addresses could not be read: MSAL says `endpoints_resolution_error` for an unknown
 * tenant, an untrusted certificate and a closed firewall alike, so the same document is asked for here. Any other
 * error is given back unchanged.
 */
export async function hiddenReason(
  error: unknown,
  connection: AzureConnection,
  send: SendAzure,
  signal: AbortSignal,
): Promise<unknown> {
  if (!(error instanceof Error) || !/endpoints_resolution_error|openid_config_error/.test(error.message)) {
    return error;
  }
  const { cloud, tenantId = 'common' } = connection;
  const url = `${cloud.authorityHost}/${tenantId}/v2.0/.well-known/openid-configuration`;
  try {
    const answer = await send({ method: 'GET', url }, signal);
    return answer.status === 200 ? error : new Error(answer.text.slice(0, 2000));
  } catch (reason) {
    return reason;
  }
}
