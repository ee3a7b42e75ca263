import type { Network } from './settings.ts';
import { ProxyFailure } from './tunnel.ts';

const certificateCodes = /^(CERT_|DEPTH_ZERO|SELF_SIGNED|UNABLE_TO_|ERR_TLS_CERT)/;
const mostKept = 20;

/** Keeps failures that only the network can explain. */
export function noteFailure(network: Network, error: Error, origin: URL): void {
  const code = 'code' in error && typeof error.code === 'string' ? error.code : '';
  if (error instanceof ProxyFailure) network.failures.push(error);
  else if (certificateCodes.test(code)) network.failures.push({ origin: origin.origin, error });
  if (network.failures.length > mostKept) network.failures.shift();
}
