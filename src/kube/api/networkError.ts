import { DeliveryError } from '../../errors.ts';
import type { ClusterAccess } from './access.ts';

/** The error codes along the chain of causes, outermost first. */
function codes(error: unknown): string[] {
  const found: string[] = [];
  for (let current = error, depth = 0; current instanceof Error && depth < 6; depth += 1) {
    if ('code' in current && typeof current.code === 'string') found.push(current.code);
    current = current instanceof AggregateError ? current.errors[0] : current.cause;
  }
  return found;
}

const certificateProblem = /CERT|SELF_SIGNED|UNABLE_TO_|ERR_TLS|ERR_SSL|HOSTNAME_MISMATCH|EPROTO/;

function remedyFor(found: readonly string[], host: string): string {
  if (found.some((code) => code === 'ENOTFOUND' || code === 'EAI_AGAIN')) {
    return `The name '${host}' is not resolved from this agent: check the server's address, and for a private cluster use an agent inside its network.`;
  }
  if (found.includes('ECONNREFUSED'))
    return `Nothing listens at '${host}': is the cluster running, and the port right?`;
  return `Check that this agent may reach '${host}': firewall, authorised IP ranges, proxy.`;
}

/** Turns a failed connection to the API server into the error that explains it. */
export function unreachable(access: ClusterAccess, cause: unknown): DeliveryError {
  const found = codes(cause);
  const host = new URL(access.server).host;
  if (found.some((code) => certificateProblem.test(code))) {
    return new DeliveryError({
      code: 'CLUSTER_TLS',
      side: 'cluster',
      message: `The TLS connection to the API server '${host}' failed (${access.origin}).`,
      remedy:
        'The connection must hold the certificate authority that signed the server certificate, and a matching client certificate and key where it uses them.',
      cause,
    });
  }
  return new DeliveryError({
    code: 'CLUSTER_UNREACHABLE',
    side: 'cluster',
    message: `The API server '${host}' cannot be reached (${access.origin}).`,
    remedy: remedyFor(found, host),
    cause,
  });
}
