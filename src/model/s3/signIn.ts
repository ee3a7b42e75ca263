import type { Network } from '../../azure/signIn.ts';
import type { Host } from '../../host/host.ts';
import type { S3Connection } from './connection.ts';
import type { S3Credentials, S3Location } from './location.ts';
import { keepSession } from './session.ts';

/** What signing in to S3 needs of the agent. */
export type S3Host = Pick<Host, 'secret' | 'pipelineIdentity' | 'cancelled' | 'log' | 'variable'>;

function register(host: S3Host, { secretAccessKey, sessionToken }: S3Credentials): void {
  host.secret(secretAccessKey);
  if (sessionToken !== undefined) host.secret(sessionToken);
}

/** Shown in CloudTrail beside every read: the run can be found by it. */
function sessionNameOf(host: S3Host): string {
  const build = host.variable('Build.BuildId')?.replace(/[^\w+=,.@-]/g, '');
  return build === undefined || build === '' ? 'model-delivery' : `model-delivery-${build}`.slice(0, 64);
}

/**
 * A connection's credentials, or the session of the role that it assumes, for a bucket in `region`. Nothing is asked
 * before the first request; keys and tokens are registered for masking before they are used, and never written.
 */
export function s3SignIn(
  { signIn }: S3Connection,
  host: S3Host,
  region: string,
  network: Network = {},
): Pick<S3Location, 'credentials' | 'session'> {
  if (signIn.kind !== 'oidc') register(host, signIn.credentials);
  if (signIn.kind === 'role' && signIn.externalId !== undefined) host.secret(signIn.externalId);
  if (signIn.kind === 'keys') return { credentials: signIn.credentials };
  const order = { signIn, region: signIn.role.region ?? region, sessionName: sessionNameOf(host) };
  return {
    session: keepSession(async () => {
      const { beginSession } = await import('./sts.ts');
      const keys = await beginSession(order, host, network);
      register(host, keys);
      return keys;
    }),
  };
}
